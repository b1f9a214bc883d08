"""Loads the models that the rapidocr wheel carries. Nothing is downloaded and nothing is logged."""

import logging
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

DETECTOR = "PP-OCRv6_det_small.onnx"
RECOGNISER = "PP-OCRv6_rec_small.onnx"
TURN_CLASSIFIER = "ch_ppocr_mobile_v2.0_cls_mobile.onnx"

ONLY_FATAL = 4
"""onnxruntime's log level: its warnings quote tensor names and shapes, never needed here."""


@dataclass(frozen=True, slots=True)
class Model:
    """One network with one input and one output. `run` may be called from several threads at once."""

    session: onnxruntime.InferenceSession
    input_name: str

    def run(self, batch: Floats) -> Floats:
        """Raises onnxruntime's RuntimeException where the network cannot work, for want of memory above all."""
        output: Floats = self.session.run(None, {self.input_name: batch})[0]
        return output


@dataclass(frozen=True, slots=True)
class Models:
    detector: Model
    recogniser: Model
    classifier: Model
    characters: tuple[str, ...]


def load_models() -> Models:
    """All three, each single-threaded: whole lines and pages run side by side, not parts of one product."""
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    folder = Path(str(files("rapidocr"))) / "models"
    recogniser = _load(folder / RECOGNISER)
    return Models(_load(folder / DETECTOR), recogniser, _load(folder / TURN_CLASSIFIER), _characters(recogniser))


def _load(path: Path) -> Model:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = ONLY_FATAL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Model(session, session.get_inputs()[0].name)


def _characters(recogniser: Model) -> tuple[str, ...]:
    """Class 0 is CTC's blank, the last is the space; between them the dictionary that the model file carries."""
    listed = recogniser.session.get_modelmeta().custom_metadata_map["character"].splitlines()
    return ("", *listed, " ")
