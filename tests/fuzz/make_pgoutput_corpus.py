#!/usr/bin/env python3
"""Writes the seeds of fuzz_pgoutput into corpus/pgoutput: streams built by hand, each message kind
and each rule of the fold once, hostile ones, and what Postgres really sent (captured.txt).

A seed is one byte of options (see fuzz_pgoutput.c), then messages behind their two-byte length."""
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "corpus" / "pgoutput"
CAPTURED = HERE.parent / "unit" / "pg" / "captured.txt"
SMALL_CAP, FIRST_KEY, NO_KEY, TINY_CAP = 1, 2, 4, 8
UNCHANGED = object()


def begin(lsn=1):
    return b"B" + struct.pack(">QqI", lsn, 5, 7)


def commit(lsn=1, flags=0):
    return b"C" + struct.pack(">BQQq", flags, lsn, lsn + 8, 5)


def relation(*columns, oid=1, identity=b"d", name=b"t"):
    """columns: "+id" is in the key, "id:23" has a type, text else."""
    out = b"R" + struct.pack(">I", oid) + b"public\0" + name + b"\0" + identity
    out += struct.pack(">H", len(columns))
    for column in columns:
        column_name, _, type_oid = column.lstrip("+").partition(":")
        is_key = column.startswith("+") or identity == b"f"
        out += bytes([is_key]) + column_name.encode() + b"\0"
        out += struct.pack(">Ii", int(type_oid or 25), -1)
    return out


def tuple_(values):
    out = struct.pack(">H", len(values))
    for value in values:
        if value is None:
            out += b"n"
        elif value is UNCHANGED:
            out += b"u"
        else:
            out += b"t" + struct.pack(">I", len(value)) + value.encode()
    return out


def insert(*row, oid=1):
    return b"I" + struct.pack(">I", oid) + b"N" + tuple_(row)


def update(*row, key=None, old=None, oid=1):
    out = b"U" + struct.pack(">I", oid)
    if key is not None:
        out += b"K" + tuple_(key)
    if old is not None:
        out += b"O" + tuple_(old)
    return out + b"N" + tuple_(row)


def delete(*old, tag=b"K", oid=1):
    return b"D" + struct.pack(">I", oid) + tag + tuple_(old)


def truncate(*oids):
    return b"T" + struct.pack(">IB", len(oids), 3) + b"".join(struct.pack(">I", o) for o in oids)


def message(prefix, content, transactional=1):
    return b"M" + struct.pack(">BQ", transactional, 9) + prefix + b"\0" + struct.pack(
        ">I", len(content)) + content


def txn(*messages):
    return [begin(), relation("+id:23", "a", "b"), *messages, commit()]


def full(*messages):
    return [begin(), relation("id:23", "a", "b", identity=b"f"), *messages, commit()]


SEEDS = {
    "empty_txn": [begin(), commit()],
    "insert": txn(insert("1", "x", None)),
    "insert_update_key": txn(insert("1", "x", "y"), update("2", "z", UNCHANGED, key=["1", None, None])),
    "insert_delete": txn(insert("1", "x", "y"), delete("1", None, None)),
    "update_delete": txn(update("1", "x", UNCHANGED), delete("1", None, None)),
    "delete_insert": txn(delete("1", None, None), insert("1", "x", "y")),
    "update_then_key": txn(update("1", "x", "y"), update("2", "x", "y", key=["1", None, None])),
    "take_over": txn(update("9", "x", "y", key=["1", None, None]), delete("2", None, None),
                     update("2", "x", "y", key=["9", None, None])),
    "truncate": txn(insert("1", "x", "y"), truncate(1), insert("1", "z", "y")),
    "messages": [message(b"p", b"out", 0), *txn(message(b"rowcast", b"in"), message(b"", b"", 0))],
    "full_swap": full(update("2", "a", "b", old=["1", "a", "b"]),
                      update("1", "c", "d", old=["2", "c", "d"])),
    "full_toast": full(update("1", "c", UNCHANGED, old=["1", "a", "b"]),
                       delete("1", "c", "b", tag=b"O")),
    "full_alike": full(insert("1", "a", None), insert("1", "a", None),
                       delete("1", "a", None, tag=b"O")),
    "altered": txn(insert("1", "x", "y"), relation("+id:23", "b", "c"), update("1", UNCHANGED, "n")),
    "identity_changed": txn(update("1", "x", "y"),
                            relation("id:23", "a", "b", identity=b"f"),
                            delete("1", "x", "y", tag=b"O")),
    "nothing": [begin(), relation("id:23", identity=b"n"), insert("1"), update("2"), commit()],
    "types": [begin(), relation("+i:20", "n:1700", "j:3802", "a:1007", "t:1184", "b:17", "o:16"),
              insert("9007199254740993", "NaN", '{"k": [1]}', "{1,NULL,{2}}",
                     "2026-01-02 03:04:05+00", "\\x00ff", "t"), commit()],
    "type_origin": [b"Y" + struct.pack(">I", 99) + b"public\0mood\0", begin(),
                    b"O" + struct.pack(">Q", 1) + b"node\0", commit()],
    "two_txns": txn(insert("1", "x", "y")) + [begin(2), insert("1", "x", "y"), commit(2)],
    "bad_commit_lsn": [begin(1), commit(2)],
    "bad_commit_flags": [begin(1), commit(1, 1)],
    "bad_order": [insert("1"), begin(), begin(), commit()],
    "bad_columns": txn(insert("1"), insert("1", "2", "3", "4")),
    "bad_oid": txn(insert("1", "x", "y", oid=5)),
    "bad_binary": txn(b"I\0\0\0\1N\0\3nnb\0\0\0\1x"),
    "bad_value_length": txn(b"I\0\0\0\1N\0\1t\xff\xff\xff\xffx"),
    "bad_column_count": txn(b"I\0\0\0\1N\x06\x40n", b"R\0\0\0\1s\0t\0d\xff\xff"),
    "bad_truncate_count": txn(b"T\xff\xff\xff\xff\0\0\0\0\1"),
    "bad_kind": [b"S", b"", b"z"],
    "bad_left_over": [begin() + b"x"],
    "bad_identity": [relation("+id", identity=b"x")],
}
OPTIONS = {
    "cap_rows": (SMALL_CAP, txn(message(b"p", b"m"), *[insert(str(i), "x" * 99, "y") for i in range(20)],
                                relation("+id:23"), insert("1"), truncate(1))),
    "cap_tiny": (TINY_CAP, txn(insert("1", "x" * 99, "y"), message(b"p", b"x" * 99))),
    "by_first_key": (FIRST_KEY, full(update("1", "c", "d", old=["1", "a", "b"]),
                                     update("1", "e", "f", old=["1", "c", "d"]))),
    "by_nothing": (NO_KEY, full(update("1", "c", "d", old=["1", "a", "b"]),
                                update("1", "e", "f", old=["1", "c", "d"]))),
    "not_carried": (FIRST_KEY, [begin(), relation("id:23", "+slug", identity=b"i"),
                                insert("1", "s"), update("2", "s"), delete(None, "s"), commit()]),
}


def captured():
    lines = CAPTURED.read_text().splitlines()
    return [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]


def transactions(messages):
    """The stream cut behind each Commit. The relations of all come first, as Postgres would send
    them on a new connection."""
    relations = [m for m in messages if m[:1] == b"R"]
    part = []
    for m in messages:
        part.append(m)
        if m[:1] == b"C":
            yield relations + part
            part = []


def write(name, options, messages):
    stream = b"".join(struct.pack(">H", len(m)) + m for m in messages)
    (OUT / name).write_bytes(bytes([options]) + stream)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, messages in SEEDS.items():
        write(name, 0, messages)
    for name, (options, messages) in OPTIONS.items():
        write(name, options, messages)
    messages = captured()
    write("captured", 0, messages)
    for i, part in enumerate(transactions(messages)):
        write(f"captured_{i}", FIRST_KEY, part)


if __name__ == "__main__":
    main()
