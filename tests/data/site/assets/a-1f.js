const quotes = "\"";
