#!/bin/sh
# Data sets and kept answers outlive the versions of the application.
set -eu
install -d -o webapp -g webapp -m 700 /var/lib/podium
