"""An incremental computation engine: inputs, pure queries over them, and only the work a change asks for.

See `docs/engine.md` for the model, its laws and its costs. Nothing here knows of meshes.
"""

from lateen.engine.engine import Engine
from lateen.engine.errors import CycleError, EngineMisuse, QueryError, QueryFailed
from lateen.engine.inputs import Cell, Input, Table
from lateen.engine.observation import Observation, Observer
from lateen.engine.overlay import Overlay
from lateen.engine.provenance import Explanation
from lateen.engine.query import Query, query
from lateen.engine.reader import Reader
from lateen.engine.statistics import QueryStatistics, Statistics
from lateen.engine.transaction import Transaction

__all__ = [
    "Cell",
    "CycleError",
    "Engine",
    "EngineMisuse",
    "Explanation",
    "Input",
    "Observation",
    "Observer",
    "Overlay",
    "Query",
    "QueryError",
    "QueryFailed",
    "QueryStatistics",
    "Reader",
    "Statistics",
    "Table",
    "Transaction",
    "query",
]
