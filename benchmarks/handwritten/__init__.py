"""The servers people write by hand: Flask, ONNX Runtime, Pillow and numpy under Gunicorn."""
