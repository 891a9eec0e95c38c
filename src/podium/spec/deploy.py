"""[deploy.TARGET]: where an application is hosted, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta, field

from podium.errors import Mistake
from podium.spec.words import Text, doc
from podium.strict import Size, Table

VARIABLE: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
Variable = Annotated[str, Meta(pattern=VARIABLE)]
Name = Annotated[str, Meta(pattern=r"^[a-z]([a-z0-9-]{0,37}[a-z0-9])?$")]
"""What all platforms take: lower-case letters, digits and hyphens, 39 of them at most."""


class Hosted(Table, frozen=True, kw_only=True):
    """What is told of every platform."""

    name: Annotated[
        Name | None, doc("What it is called there: lower-case letters, digits and hyphens, 39 at "
                         "most; made from the folder's name when left out."),
    ] = None  # fmt: skip
    variables: Annotated[
        dict[Variable, str], doc("Environment variables, which everybody may see.")
    ] = field(default_factory=dict)
    secrets: Annotated[
        tuple[Variable, ...],
        doc("Names of environment variables that nobody may see: their values come from the "
            "environment of `podium deploy`, never from a file."),
    ] = ()  # fmt: skip

    @property
    def hidden(self) -> tuple[str, ...]:
        """The names of all environment variables whose values are never shown."""
        return self.secrets

    def check(self) -> Iterator[Mistake]:
        """A variable is either seen or secret."""
        for name in self.secrets or ():
            if name in (self.variables or {}):
                yield Mistake("secrets", f"{name!r} stands in variables too; everybody sees those")


class Imaged(Hosted, frozen=True, kw_only=True):
    """What is told of platforms that pull an image."""

    image: Annotated[
        Text | None, doc("The image without its tag, such as registry.example.org/team/penguins.")
    ] = None


class PythonAnywhere(Hosted, frozen=True, kw_only=True):
    """[deploy.pythonanywhere]: a web application at PythonAnywhere."""

    username: Annotated[
        Text | None, doc("The account's name; PYTHONANYWHERE_USERNAME when left out.")
    ] = None
    host: Annotated[
        Literal["www.pythonanywhere.com", "eu.pythonanywhere.com"],
        doc("Where the account is: in the US or in the EU."),
    ] = "www.pythonanywhere.com"
    domain: Annotated[
        Text | None, doc("The address; USERNAME.pythonanywhere.com when left out.")
    ] = None
    python: Annotated[
        Annotated[str, Meta(pattern=r"^3\.\d+$")] | None,
        doc('The version there, such as "3.11"; that of this host when left out.'),
    ] = None
    disk: Annotated[Size, doc("The account's disk quota; a free account has 512 MiB.")] = Size(
        512_000_000
    )


class ElasticBeanstalk(Hosted, frozen=True, kw_only=True):
    """[deploy.elastic-beanstalk]: an environment of AWS Elastic Beanstalk."""

    region: Annotated[
        Text | None, doc("The AWS region; that of the AWS settings when left out.")
    ] = None
    environment: Annotated[
        Name | None, doc("The environment's name; the application's when left out.")
    ] = None
    instance_type: Annotated[Text, doc("The kind of EC2 instance.")] = "t3.small"
    cpu: Annotated[
        Annotated[float, Meta(gt=0)], doc("Processors of such an instance: as many web workers.")
    ] = 2.0
    memory: Annotated[Size, doc("The memory of such an instance.")] = Size(2_000_000_000)
    certificate: Annotated[
        Text | None,
        doc("A certificate of AWS Certificate Manager, by its ARN: then a load balancer takes "
            "HTTPS for the instance. HTTP alone when left out."),
    ] = None  # fmt: skip
    instance_profile: Annotated[Text, doc("What instances may do, an IAM instance profile.")] = (
        "aws-elasticbeanstalk-ec2-role"
    )
    service_role: Annotated[Text, doc("What Elastic Beanstalk may do, an IAM role.")] = (
        "aws-elasticbeanstalk-service-role"
    )
    python: Annotated[
        Annotated[str, Meta(pattern=r"^3\.\d+$")] | None,
        doc(
            'The Python there, such as "3.12"; that of requirements.lock, else of this host, when '
            "left out."
        ),
    ] = None


class CloudRun(Imaged, frozen=True, kw_only=True):
    """[deploy.cloud-run]: a service of Google Cloud Run."""

    project: Annotated[
        Text | None, doc("The Google Cloud project; GOOGLE_CLOUD_PROJECT when left out.")
    ] = None
    region: Annotated[Text, doc("The region.")] = "europe-west1"
    cpu: Annotated[Annotated[float, Meta(gt=0)], doc("Processors of an instance.")] = 1.0
    memory: Annotated[Size, doc("Memory of an instance.")] = Size(2_000_000_000)
    instances: Annotated[
        tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=1)]],
        doc("The fewest and the most instances."),
    ] = (0, 1)
    public: Annotated[bool, doc("Whether everybody may ask without a Google account.")] = True
    service_account: Annotated[
        Text | None,
        doc("The service account under which it runs, by its address; needed for secrets."),
    ] = None

    def check(self) -> Iterator[Mistake]:
        """The fewest instances come first."""
        yield from super().check()
        yield from _order(self.instances)


class AzureHosted(Imaged, frozen=True, kw_only=True):
    """What is told of both platforms of Azure."""

    subscription: Annotated[
        Text | None, doc("The subscription's id; AZURE_SUBSCRIPTION_ID when left out.")
    ] = None
    resource_group: Annotated[
        Text | None, doc("The resource group; the application's name when left out.")
    ] = None
    location: Annotated[Text, doc("The region.")] = "westeurope"
    registry_user: Annotated[Text | None, doc("Who pulls the image, where not everybody may.")] = (
        None
    )
    registry_password: Annotated[
        Variable | None,
        doc("The name of the environment variable that has this user's password."),
    ] = None

    @property
    def hidden(self) -> tuple[str, ...]:
        """The registry's password is not shown either."""
        named = (self.registry_password,) if self.registry_password else ()
        return (*self.secrets, *named)


class AzureAppService(AzureHosted, frozen=True, kw_only=True):
    """[deploy.azure-app-service]: a web app of Azure App Service."""

    plan: Annotated[Text, doc("The plan's pricing tier.")] = "B2"
    memory: Annotated[Size, doc("The memory of such an instance.")] = Size(3_500_000_000)


class AzureContainerApps(AzureHosted, frozen=True, kw_only=True):
    """[deploy.azure-container-apps]: an app of Azure Container Apps."""

    environment: Annotated[
        Text | None, doc("The managed environment; the application's name when left out.")
    ] = None
    cpu: Annotated[Annotated[float, Meta(gt=0)], doc("Processors of an instance.")] = 1.0
    memory: Annotated[Size, doc("Memory of an instance.")] = Size(2_000_000_000)
    instances: Annotated[
        tuple[Annotated[int, Meta(ge=0)], Annotated[int, Meta(ge=1)]],
        doc("The fewest and the most instances."),
    ] = (0, 1)

    def check(self) -> Iterator[Mistake]:
        """The fewest instances come first."""
        yield from super().check()
        yield from _order(self.instances)


class Vm(Hosted, frozen=True, kw_only=True):
    """[deploy.vm]: a server that is reached over ssh."""

    host: Annotated[
        Annotated[str, Meta(pattern=r"^[^\s-]\S*$")] | None,
        doc("The server as ssh knows it: a name, or USER@NAME; may be of ~/.ssh/config."),
    ] = None
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        doc("The port of ssh; as ssh knows it when left out."),
    ] = None
    domain: Annotated[
        Text | None, doc("The name under which it is reached; the host's when left out.")
    ] = None
    folder: Annotated[
        Annotated[str, Meta(pattern=r"^[^\s-]\S*$")],
        doc(
            "Where applications lie there, each in a folder of its own; in the home folder if "
            "relative."
        ),
    ] = "podium"
    python: Annotated[Text, doc("The Python there, 3.11 or newer.")] = "python3"
    tls: Annotated[
        Literal["certbot", "self-signed", "off"],
        doc("The certificate: that of certbot, one that browsers warn of, or none."),
    ] = "certbot"
    http_port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)], doc("Port of plain HTTP; below 1024 it needs root.")
    ] = 80
    https_port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)], doc("Port of HTTPS; below 1024 it needs root.")
    ] = 443


class Deploy(Table, frozen=True, kw_only=True, rename="kebab"):
    """[deploy]: the hosting platforms."""

    pythonanywhere: PythonAnywhere = PythonAnywhere()
    elastic_beanstalk: ElasticBeanstalk = ElasticBeanstalk()
    cloud_run: CloudRun = CloudRun()
    azure_app_service: AzureAppService = AzureAppService()
    azure_container_apps: AzureContainerApps = AzureContainerApps()
    vm: Vm = Vm()


def _order(instances: tuple[int, int]) -> Iterator[Mistake]:
    if instances[0] > instances[1]:
        told = "expected the fewest first; found {}, {}".format(*instances)
        yield Mistake("instances", told)
