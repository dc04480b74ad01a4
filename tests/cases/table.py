"""What each kind of case gets, for `docs/cases.md`: `PYTHONPATH=tests python -m cases.table` writes it.

What stands between quotation marks the program says of the case that `QUOTED` names; tests/cli/test_corpus.py sees that
it does.
"""

from collections import Counter
from pathlib import Path

from cases import CASES

PAGE = Path(__file__).parents[2] / "docs" / "cases.md"

# Of these kinds, commands are told to write where something else is.
_OUTPUTS = ("somebody else's files in --out", "an output that is an input")
# Photos, films, and folders of them: what `predict` and the app are for.
JUDGED = [name for name, one in CASES.items() if one.command.startswith("predict {run}") and one.row not in _OUTPUTS]

# By case, what is said of it.
QUOTED = {
    "2,000 by 3 pixels": "has 2000 x 3 pixels, too small or too thin for a face",
    "112 megapixels": "100 megapixels are the most: scale it down, or allow more (--max-megapixels)",
    "comments of two gigabytes": "this photo's comments unpack to more than a photo needs",
    "a camera's DNG": "a camera's raw photo; develop it in the camera or a photo program",
    "no numbers in TIFF": "holds pixels that are no numbers (NaN or infinite)",
    "float colours in TIFF": "a TIFF photo of 3 times 32-bit floats, which are not read here",
    "bottom 33% of face 0 cut off": "cut off by the edge of the picture",
    "near and too far": "too small (face",
    "400 faces in a photo": "a face was found, but it is too small",
    "a hundred faces in a photo": "the 32 most prominent ones were",
    "a song with a cover": "holds sound with a cover picture, no film",
    "a link to nothing": "a link that leads out of this folder; name the file itself",
    "a linked subfolder": "a link to a folder, which is not entered; give that folder itself",
    "a pipe among photos": "a link, pipe or device, not a file",
    "40 tracks claim 80,000,000 samples": "its header speaks of 80,000,000 samples, for which it has no room",
    "a hundred streams": "more than 100 tracks; keep the film alone",
    "four million packets": "more than 1,000,000 frames; cut out a part",
    "a vast GIF": "an animation of 10000 x 10000 pixels; 8K is the most: scale it down",
    "a long GIF": "only the first 500 pictures are looked at",
    "half a film": "neither a photo nor a video that can be read",
    "no frame at all": "this video holds no frames; download or copy it again",
    "an unquoted comma in one row": "line 3 has 4 values for 3 columns; put quotes round a value that holds a comma",
    "a workbook called csv": "a spreadsheet's workbook or an archive, not a table in CSV format; save it as CSV",
    "no film there": "none of its 2 clips is there",
    "both labels": "one film under both labels, real and fake",
    "two of method differ by a blank at the end": "method, compression and clip_id are taken; give each clip a name",
    "weights with NaN": "holds numbers that are not finite (NaN or infinity)",
    "weights of another shape": "has the shape 8 × 3 × 7 × 7, not 8 × 3 × 3 × 3",
    "a trap in a checkpoint": "to read that could run code; save the network's state_dict() alone",
    "a run with crops of 20,000 pixels": "crop_size 20000: give a whole number from 1 to 1024",
    "a run with another digest": "damaged or changed since it was saved",
    "extract into somebody's folder": "holds other things than crops; choose another folder",
    "clips into somebody's folder": "made or changed by hand",
    "the film as its own table": "is there, and not what would be written; move it, or give another name",
    "a table as its own output": "is the table that is read, and would be lost; give --out another name",
}

# By kind: what it is, which commands it is given to, and what they do; {case} is what is said of it.
ROWS = {
    "thin and tiny pictures": (
        "a photo of three rows, of twelve pixels, a banner",
        "predict, app",
        "cannot tell: {2,000 by 3 pixels}; a banner of 8,000 by 400 with a person in it is judged",
    ),
    "vast photos": (
        "a header that claims thousands of megapixels, 99 megapixels of black, comments of two gigabytes",
        "predict, app",
        "cannot tell, before anything is decoded; a photo within the limits is looked at; {comments of two gigabytes}",
    ),
    "true reasons": (
        "a camera's raw photo, TIFF of floats, more than 100 megapixels",
        "predict, app",
        "grey floats are judged; else cannot tell, with what it is: {a camera's DNG}; {no numbers in TIFF}; "
        "{float colours in TIFF}; {112 megapixels}",
    ),
    "cut-off faces": (
        "a face a third or half of which is beyond the edge",
        "predict, app",
        "cannot tell: {bottom 33% of face 0 cut off}, or no face found; a whole face near the edge is judged",
    ),
    "a far face beside a near one": (
        "a near face and a far one in 4K or 1080p, five people at five distances",
        "predict, app",
        "everybody is judged; of whom there are too few pixels, that is said: {near and too far} …)",
    ),
    "many faces": (
        "a class, a crowd, 400 faces",
        "predict, app",
        "up to 32 people of a file are judged, and of more that is said: {a hundred faces in a photo}; 400 faces in "
        "four megapixels: cannot tell, {400 faces in a photo}",
    ),
    "rounding of what is said": (
        "seventy photos, the face a pixel larger in each",
        "predict, app",
        "judged, or cannot tell with two numbers that differ",
    ),
    "cuts between people": (
        "two people one after the other, in the same place, by a cut or a dissolve; a jump cut; changed seats",
        "predict, app",
        "a verdict for each person, and when each is seen; nobody is followed across a cut",
    ),
    "short appearances": (
        "somebody for half a second, in two seconds of ten minutes, at the very end",
        "predict, app",
        "a verdict for each person, however short",
    ),
    "colour of video": (
        "HLG and PQ of phones, ten bits, full range, 4:4:4, colours unsaid or impossible",
        "predict, app",
        "judged as a player shows it ([limits.md](limits.md#what-a-player-shows))",
    ),
    "malformed rotation": (
        "a display matrix of zeros, crooked, of the largest numbers",
        "predict, app",
        "judged upright; by odd angles turned to the nearest quarter",
    ),
    "shape of pixels and interlacing": (
        "pixels that are not square, interlaced film",
        "predict, app",
        "judged as a player shows it: stretched, and one moment of the two",
    ),
    "cover pictures": (
        "music with a portrait for a cover, a film with a cover",
        "predict, app",
        "music: cannot tell, {a song with a cover}; of a film with a cover, the film is judged",
    ),
    "no count of frames": (
        "ten minutes in mkv, ts and fragmented MP4, whose headers count nothing",
        "predict, app",
        "judged, as fast as in MP4; more than 300 s are refused by the app",
    ),
    "long and odd names": (
        "255 bytes, emoji, a line break, what steers terminals, a formula, markup, no text at all",
        "predict, app",
        "judged; such names are shown with escapes, and written so that no spreadsheet takes them for formulas",
    ),
    "linked folders": (
        "in a folder: a link to another folder, to itself, to nothing; a pipe",
        "predict",
        "the rest is judged; of links it is said: {a linked subfolder}, {a link to nothing}; of a pipe: "
        "{a pipe among photos}",
    ),
    "claimed samples": (
        "a few kilobytes of MP4 that claim up to 2^32 samples",
        "predict, app",
        "cannot tell, before room is made: {40 tracks claim 80,000,000 samples}",
    ),
    "many packets": (
        "millions of packets of a byte, or one a million times",
        "predict, app",
        "cannot tell: {four million packets}; up to a million it is looked at, within the time that a file may take",
    ),
    "streams behind the first": (
        "pictures of 16,000 by 16,000 pixels behind the film, a hundred streams",
        "predict, app",
        "the film alone is looked at; more than a hundred: cannot tell, {a hundred streams}",
    ),
    "costly frames": (
        "8K at 1,000 frames a second, an hour of 4K, frames that grow, a frame an hour",
        "predict, app",
        "looked at in as many frames as a gibibyte holds, within the time that a file may take; else cannot tell",
    ),
    "many small pictures in a large one": (
        "GIF, APNG and WebP of 10,000 by 10,000 pixels, 50,000 pictures",
        "predict, app",
        "cannot tell: {a vast GIF}; of a long one: {a long GIF}",
    ),
    "damaged and forged films": (
        "half a film, a playlist called film, no frame at all, boxes within boxes",
        "predict, app",
        "cannot tell: {half a film}; {no frame at all}; no other file is read",
    ),
    "other people's tables": (
        "semicolons, tabs, UTF-16, Windows paths, REAL and FAKE as words, unquoted commas, a workbook",
        "clips --from-csv",
        "read; or refused with the line: {an unquoted comma in one row}; {a workbook called csv}; {no film there}",
    ),
    "contradictions": (
        "one film under both labels, or twice; an original that is elsewhere",
        "clips --from-csv",
        "refused with the lines: {both labels}; what a split shares with another is said",
    ),
    "dealt splits": (
        "one to ten people, or people who cannot be parted",
        "clips --from-csv",
        "from three people on each split has somebody; where one stays empty, that is said",
    ),
    "a name from a table": (
        "a clip's name, method or compression that is an absolute path, a way up, a drive, NUL, 5,000 letters, or "
        "differs by case or Unicode alone; crops that are somebody's files; the same in DFDC's table",
        "clips, extract, evaluate",
        "read, and written under names of their own below `--out`; or refused with the line, such as "
        "{two of method differ by a blank at the end}; nobody's files are touched",
    ),
    "markup from a table": (
        "a method that is markup, a formula, mathematics, a template, an escape, a way up",
        "evaluate, explain, matrix",
        "worked with, and shown as text",
    ),
    "other people's folders": (
        "FaceForensics++ without split lists, Celeb-DF, DFDC, DeepfakeBench's frames, real/ and fake/, photos",
        "clips, extract",
        "recognised: so many clips, real and fake; faces are cut out of photos, too",
    ),
    "names that differ in case": (
        "films that end in .MP4, folders called C23, 000.mp4 beside 000.MP4",
        "clips",
        "read; of two that differ by case alone, that is said",
    ),
    "hints": (
        "the DeepFakeDetection part alone, with the official split, in which none of it is",
        "clips",
        "listed, and it is said which split holds what",
    ),
    "files that cannot be read": (
        "a sound film without permission, a folder called 000.mp4, a link to a damaged film",
        "verify --delete-damaged",
        "only what was read and found broken is deleted, of a link the link alone",
    ),
    "other people's weights": (
        "`module.` before each name, under `state_dict`, two classes, half precision; NaN, another shape, half a file",
        "train --weights",
        "loaded, two classes as their difference; or refused: {weights with NaN}; {weights of another shape}",
    ),
    "weights that would run code": (
        "pickles that do something, archives and headers that lie",
        "train --weights",
        "nothing runs: {a trap in a checkpoint}; or no file of weights",
    ),
    "a stranger's run": (
        "a detector.json that asks for 20,000 pixels or a giant network, weights that do not fit, reports and examples "
        "that name other files",
        "predict, explain, app, space",
        "refused with the file and what is allowed: {a run with crops of 20,000 pixels}; {a run with another digest}; "
        "no file beyond the run is read, sent or copied",
    ),
    "markup from a run": (
        "a caution, a note, a method, a label that is markup, a formula, an escape",
        "predict, evaluate, app",
        "shown as text",
    ),
    "folders found unwritable late": (
        "a finished run that may not be written to",
        "evaluate",
        "refused before the work, so that none is lost",
    ),
    "somebody else's files in --out": (
        "a folder full of somebody's files, a README alone, a repository, folders called X.old and X.fresh beside it",
        "every command with --out",
        "refused where there is anything of somebody else's: {extract into somebody's folder}; {clips into somebody's "
        "folder}; hidden files do not hinder; nothing is changed or removed",
    ),
    "an output that is an input": (
        "a film that `--csv` names, one's own table as `--out`",
        "predict, clips",
        "refused: {the film as its own table}; {a table as its own output}",
    ),
}

_HEAD = """\
# What is said of what people hand over

`tests/cases` makes {count} photos, films, tables, folders, weights and runs as other people have them, some of them
meant to do harm, and `tests/cli/test_corpus.py` gives them to the commands. This is what each kind gets. Whatever it
is, it is answered in a line, the rest of what was given is gone on with, and no file that was there is changed or
removed. "Cannot tell" is an answer, with the reason; a refusal names the file, what is wrong and what to do. [The
limits](limits.md) say how much memory and time a file may take.

The app says what `predict` says, of what it accepts: files up to 200 MB, films up to 300 s. `extract` cuts faces out
of the same photos and films; each that gives none has its reason in `failures.csv`.

| what | inputs | given to | what happens |
|---|--:|---|---|
"""


def page() -> str:
    """The page, in Markdown."""
    counts = Counter(one.row for one in CASES.values())
    quoted = {name: f"“{words}”" for name, words in QUOTED.items()}
    rows = [f"| {what} | {counts[row]} | {to} | {said.format_map(quoted)} |" for row, (what, to, said) in ROWS.items()]
    return _HEAD.format(count=len(CASES)) + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
