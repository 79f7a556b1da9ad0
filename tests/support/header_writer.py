"""A program that writes an index of headers until it is killed: FOLDER HEADERS SEED. A line for every step."""

import random
import sys
from pathlib import Path

from host_bridge.chain.header_index import HeaderIndex
from lightclient.params import REGTEST


def main() -> None:
    folder, headers, seed = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes(), sys.argv[3]
    source = random.Random(seed)
    index = HeaderIndex(folder, REGTEST)
    total = len(headers) // 80 - 1
    while True:
        height = index.best_height
        if height >= total - 100:
            print("again", flush=True)
            index.close()
            Path(index.path_of_file).unlink()
            index = HeaderIndex(folder, REGTEST)
            continue
        count = source.choice([1, 2, 15, 200, 2000])
        index.accept(headers[80 * (height + 1) : 80 * (height + 1 + count)], height, 0)
        if source.random() < 0.1:
            index.sync()
        print(index.best_height, flush=True)


main()
