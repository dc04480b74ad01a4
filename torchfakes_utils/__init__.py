"""TorchFakes: detect deepfakes, one small module for every stage of the pipeline.

The rooms, in the order in which data flows: `io`, `datasets`, `metrics`, `faces`, `models`, `crops`, `training`,
`evaluation`, `explanation`, `report`, `hub`, `inference`, `export`, `app`, `course`, `cli`. Nothing is imported here,
so that `import torchfakes_utils` costs nothing; torch is loaded by the module that needs it.
"""

__version__ = "0.1.0"
