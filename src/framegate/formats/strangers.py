"""Names the kinds of files that are no picture framegate reads, by how they begin."""

_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II\xbc\x01", "JPEG XR"),
    (b"FUJIFILMCCD-RAW", "the raw picture of a Fujifilm camera (RAF)"),
    (b"IIU\0", "the raw picture of a Panasonic camera (RW2)"),
    (b"IIRO", "the raw picture of an Olympus camera (ORF)"),
    (b"IIRS", "the raw picture of an Olympus camera (ORF)"),
    (b"MMOR", "the raw picture of an Olympus camera (ORF)"),
    (b"\0MRM", "the raw picture of a Minolta camera (MRW)"),
    (b"FOVb", "the raw picture of a Sigma camera (X3F)"),
    (b"8BPS", "a Photoshop document"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"#?RGBE", "Radiance HDR"),
    (b"qoif", "QOI"),
    (b"SIMPLE  =", "FITS"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"BPG\xfb", "BPG"),
    (b"DDS ", "DDS"),
    (b"\0\0\1\0", "an icon"),
    (b"BA", "an OS/2 bitmap array"),
    (b"%PDF", "PDF"),
    (b"\x1a\x45\xdf\xa3", "a film (Matroska or WebM)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    *(
        (f"P{digit}{end}".encode(), "a portable anymap (PBM, PGM, PPM)")
        for digit in "1234567"
        for end in "\n\r \t"
    ),
    (b"PF\n", "a portable float map"),
    (b"Pf\n", "a portable float map"),
)
_MARKUP = (
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
)
_RIFF_KINDS = {b"AVI ": "a film (AVI)", b"WAVE": "sound (WAV)"}
_CANON_RAW = b"crx "
_MIN_ARRAY_BYTES = 26


def name_of(data: bytes) -> str:
    """Return what kind of file it is, in words; empty when that is not known."""
    if data[4:8] == b"ftyp":
        is_raw = data[8:12] == _CANON_RAW
        return (
            "the raw picture of a Canon camera (CR3)"
            if is_raw
            else "a film (MP4 or MOV), or a HEIF of another kind"
        )
    if data.startswith(b"RIFF"):
        return _RIFF_KINDS.get(data[8:12], "")
    start = data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for beginning, name in _MARKUP:
        if start.startswith(beginning):
            return name
    return next((name for beginning, name in _KINDS if data.startswith(beginning)), "")
