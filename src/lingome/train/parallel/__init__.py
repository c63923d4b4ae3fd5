"""Several processes that train one model: what they share, and weights that are split over them."""
