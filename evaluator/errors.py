"""Everything the evaluator raises on purpose. What a program does is never in here: that is a Judgement.

EvaluatorError                catch this one to catch them all
├── DataMissing               a suite's file is not here; says what to place where, and from which source
├── DataInvalid               a suite's file is not what it should be; names the line and the field
├── UnknownSuite              no suite of that name; names those there are
├── UsageRefused              options that cannot be combined; says which and why
├── EndpointFailed            a model's endpoint gave no usable answer, after every retry
│   ├── RequestRefused        it refuses this request, such as one past its context; others may do
│   └── AccessRefused         it refuses us: no request will be answered until that is mended
├── JournalBroken             a run folder cannot be read or written
├── GraderUnavailable         grading itself failed; no sample was scored for it
├── NotComparable             two runs that may not be compared; names what differs
├── RunIncomplete             a run lacks what a gate asks of it; says what to run
└── GateInvalid               a gate file is not what it should be; names the key
"""


class EvaluatorError(Exception):
    """Base of every error that the evaluator raises on purpose."""


class DataMissing(EvaluatorError):
    """A suite's file is not here."""


class DataInvalid(EvaluatorError):
    """A suite's file is not what it should be."""


class UnknownSuite(EvaluatorError):
    """No suite of that name."""


class UsageRefused(EvaluatorError):
    """Options that cannot be combined."""


class EndpointFailed(EvaluatorError):
    """A model's endpoint gave no usable answer."""


class RequestRefused(EndpointFailed):
    """The endpoint refuses one request; asking again changes nothing."""


class AccessRefused(EndpointFailed):
    """The endpoint refuses whatever we ask: a wrong key, URL or model."""


class JournalBroken(EvaluatorError):
    """A run folder cannot be read or written."""


class GraderUnavailable(EvaluatorError):
    """Grading itself failed; nothing was scored for it."""


class NotComparable(EvaluatorError):
    """Two runs that may not be compared."""


class RunIncomplete(EvaluatorError):
    """A run lacks what a gate asks of it."""


class GateInvalid(EvaluatorError):
    """A gate file is not what it should be."""
