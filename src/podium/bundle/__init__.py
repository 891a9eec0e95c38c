"""What an application takes along wherever it goes: its files, Podium's wheel, its packages."""
