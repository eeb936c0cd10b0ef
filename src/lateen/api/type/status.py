"""The status of the mesh's resources (istio.meta.v1alpha1.IstioStatus), as tools read it."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from lateen.api.schema.message import Message, text_format

Time = Annotated[str, text_format("date-time")]


class Level(Enum):
    """How severe a message is."""

    UNKNOWN = "UNKNOWN"
    ERROR = "ERROR"
    WARNING = "WARNING"
    INFO = "INFO"


class Condition(Message):
    """One aspect of the resource."""

    type: str = ""
    """Which aspect: `Reconciled`, `PassedValidation`."""
    status: str = ""
    """`True`, `False` or `Unknown`."""
    last_probe_time: Time | None = None
    """When it was last looked at."""
    last_transition_time: Time | None = None
    """When the status last changed."""
    reason: str = ""
    """One word about why."""
    message: str = ""
    """What a person should know about it."""
    observed_generation: int | str = 0
    """The generation of the resource it is about."""


class MessageType(Message):
    """Which kind of message."""

    name: str = ""
    """For people."""
    code: str = ""
    """Istio's code of the analyzer, `IST` and four digits."""


class ValidationMessage(Message):
    """Something wrong with the resource."""

    type: MessageType | None = None
    """Which kind of message."""
    level: Level = Level.UNKNOWN
    """How severe it is."""
    documentation_url: str = ""
    """Where it is explained."""


class Status(Message):
    """What became of a resource."""

    conditions: tuple[Condition, ...] = ()
    """Its aspects."""
    validation_messages: tuple[ValidationMessage, ...] = ()
    """What is wrong with it."""
    observed_generation: int | str = 0
    """The generation of the resource that this is about."""


class ServiceAddress(Message):
    """An address that was given to a host."""

    value: str
    """The address."""
    host: str = ""
    """The host; all of them if empty."""


class ServiceEntryStatus(Status):
    """What became of a ServiceEntry."""

    addresses: tuple[ServiceAddress, ...] = ()
    """Addresses given automatically to hosts without any."""
