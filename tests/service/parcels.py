"""What the tests of the service send: picture files, multipart parts, keys."""

import io

from PIL import Image


def png(pixels):
    """A picture as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def parts(field, pictures):
    """Multipart parts of arrays or of bytes."""
    return [
        (field, (f"{i}.png", one if isinstance(one, bytes) else png(one), "image/png"))
        for i, one in enumerate(pictures)
    ]


def bearer(token):
    """The header that carries a key."""
    return {"Authorization": f"Bearer {token}"}
