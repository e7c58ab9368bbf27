"""A trained model for other programs and other machines: merged for transformers, as ONNX, or as ONNX in 8 bits.

export_model("outputs/.../model", "exported", to="onnx-int8")
"""

from openmed.serving.export.core import TARGETS, Exported, export_model

__all__ = ["TARGETS", "Exported", "export_model"]
