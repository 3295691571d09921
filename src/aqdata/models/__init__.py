"""What a DataFile is made of: its document, its DataSets and files. No I/O but the reading of attached files."""
