"""TorchFakes: detect deepfakes, one small module for every stage of the pipeline.

The modules, in the order in which data flows: `faceforensics`, `mini`, `video`, `faces`, `sharpness`, `dataset`,
`detector`, `training`, `evaluation`, `explanation`, `inference`, `cli`. This package imports none of them by itself,
so that `import torchfakes_utils` costs nothing; torch is loaded by the module that needs it.
"""

__version__ = "0.1.0"
