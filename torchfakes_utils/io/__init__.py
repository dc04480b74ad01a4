"""Bytes in and out: tables, whole-or-nothing files, video, photos, reading ahead."""
