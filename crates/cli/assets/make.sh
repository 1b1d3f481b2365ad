#!/bin/sh
# Makes the sentences of the demo's user with the voice "slt" of Debian's flite (apt-get install flite), 16 kHz, 16 bit, mono.
set -eu
cd "$(dirname "$0")"
flite -voice slt -t "What are your opening hours?" -o hours.wav
flite -voice slt -t "Please tell me the story of your bread." -o story.wav
flite -voice slt -t "Stop. Where is my order?" -o order.wav
flite -voice slt -t "Thank you. Goodbye!" -o goodbye.wav
