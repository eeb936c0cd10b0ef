"""The bookshop that everybody tries a mesh with: productpage calls details and reviews, reviews calls ratings."""
