"""PP-OCR's three small models, as rapidocr bundles them, run line by line; what the lines mean is layout's business."""
