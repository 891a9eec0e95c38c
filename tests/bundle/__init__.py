"""What an application takes along wherever it goes."""
