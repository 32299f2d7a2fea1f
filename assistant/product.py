"""The earlier path of `assistant.products.product.Product`."""

from assistant.products.product import Product as Product
