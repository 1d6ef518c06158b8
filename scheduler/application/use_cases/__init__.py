"""One class with one ``execute`` for each thing the scheduler does."""
