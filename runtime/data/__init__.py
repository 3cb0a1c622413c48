"""Data for a model, from files and frames: what is missing, ragged or wrong is told with its place.

Takes paths, frames of pandas and polars, tables of pyarrow and mappings; gives `Data`, arrays by input. The rooms in
the order in which data pass them: a reader for each kind of source (`text`, `arrays`, `arrow`, `hdf5`, `frames`) gives
`columns`; `sources` finds them by name; `inputs` makes arrays of them that fit the model; `split` holds rows out;
`read` is the way in.
"""

from .read import Data, read_data
from .split import held_out

__all__ = ["Data", "held_out", "read_data"]
