"""Static vectors of tokens: Word2Vec."""
