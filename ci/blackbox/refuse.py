"""Runs a command of which the kernel refuses some calls of io_uring_enter: `refuse.py COMPLETIONS COMMAND...`

Refused is what waits for that many completions or more, and with 0 every call. It is what sandboxes do."""

import ctypes
import os
import struct
import sys

IO_URING_ENTER = 426
EPERM = 1
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER_AT, THIRD_ARGUMENT_AT = 0, 32
ALLOW, ERROR = 0x7FFF0000, 0x00050000


def instruction(code, value, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, value)


def main():
    completions = int(sys.argv[1])
    program = (
        instruction(LOAD_WORD, NUMBER_AT)
        + instruction(JUMP_IF_EQUAL, IO_URING_ENTER, if_false=3)
        + instruction(LOAD_WORD, THIRD_ARGUMENT_AT)
        + instruction(JUMP_IF_AT_LEAST, completions, if_false=1)
        + instruction(RETURN, ERROR | EPERM)
        + instruction(RETURN, ALLOW)
    )
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for arguments in [(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header, 0, 0)]:
        if prctl(*arguments) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    os.execv(sys.argv[2], sys.argv[2:])


main()
