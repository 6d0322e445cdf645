"""Classifies PNG and JPEG files with a trained network.

```
python apps/predict.py --run=runs/amp --images=photos
python apps/predict.py --run=runs/amp --images=a.png,b.jpg --output_file=ab.csv
```

It writes a CSV file with the class of each image and the probabilities of all
classes, calibrated by temperature scaling.
"""

import amp_keras_commands

if __name__ == "__main__":
    amp_keras_commands.predict()
