"""`python -m deepnb` is `deepnb`, also where no script was installed"""
import sys

from deepnb.cli import main

sys.exit(main())
