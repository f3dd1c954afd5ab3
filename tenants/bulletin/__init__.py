"""The monthly bulletin (通报): what it says, how it looks as page, PDF and workbook, how it is made."""
