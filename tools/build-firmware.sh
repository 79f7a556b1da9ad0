#!/usr/bin/env bash
# build-firmware.sh [OUT.uf2] [MANIFEST.py]: MicroPython for the Raspberry Pi Pico (RP2040) with our code frozen in.
# Everything but the host's compiler comes from Debian source packages, unpacked into .cache/firmware: no root.
# About 90 s the first time, a few seconds after a change of Python code. Other boards: docs/FIRMWARE.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:-$here/../build/lightclient-pico.uf2}")
manifest=$(realpath "${2:-$here/../firmware/manifest.py}")
work=$(realpath -m "${LIGHTCLIENT_FIRMWARE_CACHE:-$here/../.cache/firmware}")

missing=""
for tool in gcc g++ cmake make python3 tar dpkg-deb apt-get flock; do
    command -v "$tool" > /dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || { echo "build-firmware: missing:$missing (Debian: apt install build-essential cmake)" >&2; exit 2; }

mkdir -p "$work"
exec 9> "$work/lock"
flock 9 # one build at a time

fail() {
    echo "build-firmware: $1, see $2" >&2
    tail -n 5 "$2" >&2
    exit 1
}

fetch() {
    . "$here/private-apt.sh"
    rm -rf "$work/new"
    mkdir -p "$work/new/debs" "$work/new/root" "$work/new/src/mp" "$work/new/src/mbedtls"
    private_apt "$work/apt" bookworm trixie
    cd "$work/new/debs"
    apt-get -qq download pico-sdk-source/trixie tinyusb-source/trixie gcc-arm-none-eabi/bookworm \
        binutils-arm-none-eabi/bookworm libnewlib-arm-none-eabi/bookworm libnewlib-dev/bookworm \
        libstdc++-arm-none-eabi-newlib/bookworm libstdc++-arm-none-eabi-dev/bookworm
    for deb in *.deb; do dpkg-deb -x "$deb" "$work/new/root"; done
    # A compiler unpacked away from / looks for newlib beside itself.
    ln -sfn newlib "$work/new/root/usr/lib/arm-none-eabi/lib"
    ln -sfn ../../include/newlib "$work/new/root/usr/lib/arm-none-eabi/include"
    cd "$work/new/src"
    apt-get -qq source --download-only micropython/trixie mbedtls/trixie
    tar -xf micropython_*.orig.tar.* -C mp --strip-components=1
    tar -xf mbedtls_*.orig.tar.* -C mbedtls --strip-components=1
    mkdir -p mp/lib/tinyusb mp/lib/mbedtls mp/lib/micropython-lib
    cp -r "$work"/new/root/usr/src/tinyusb*/. mp/lib/tinyusb/
    cp -r mbedtls/. mp/lib/mbedtls/
    touch mp/lib/micropython-lib/README.md
    rm -rf "$work/new/debs" "$work/new/src/mbedtls" "$work"/new/src/*.tar.* "$work/tree"
    mv "$work/new" "$work/tree" # it is there when it is complete, or not at all
}
if [ ! -d "$work/tree" ]; then
    (set -e; fetch) > "$work/fetch.log" 2>&1 || fail "the Debian packages cannot be had" "$work/fetch.log"
fi

cd "$work/tree/src/mp"
export PATH=$work/tree/root/usr/bin:$PATH
export GIT_CEILING_DIRECTORIES=$work # the version is that of MicroPython, not of our repository
# MicroPython aligns frozen native code of an ARMv6-M to 2 bytes, but such code loads large constants from words:
# where it comes to lie between two words, every one of them is wrong.
sed -i 's/__attribute__ ((aligned (2)))/__attribute__ ((aligned (4)))/' tools/mpy-tool.py
# A frozen file is named twice in flash: as a module and, for tracebacks, as a file. The first does for both.
grep -q 'names its module' tools/mpy-tool.py || sed -i '/^        self.source_file = qstr_table\[0\]$/a\
        global_qstrs.qstrs.remove(self.source_file)  # names its module instead\
        qstr_table[0] = global_qstrs.add(self.source_file.str[:-3].replace("/__init__", "").replace("/", "."))' tools/mpy-tool.py
# A text that is interned takes 11 bytes less of flash than an object; by default only short ones are.
grep -q INTERN_STRING_LEN mpy-cross/mpconfigport.h ||
    echo '#define MICROPY_ALLOC_PARSE_INTERN_STRING_LEN (200)' >> mpy-cross/mpconfigport.h
make -s -C mpy-cross -j"$(nproc)" > "$work/mpy-cross.log" 2>&1 || fail "mpy-cross does not build" "$work/mpy-cross.log"
if [ "$(cat "$work/manifest.txt" 2> /dev/null)" != "$manifest" ] || [ ! -e "$work/build/Makefile" ]; then
    cmake -S ports/rp2 -B "$work/build" -DMICROPY_BOARD=RPI_PICO -DPICO_BUILD_DOCS=0 \
        -DPICO_SDK_PATH_OVERRIDE="$work/tree/root/usr/src/pico-sdk" -DPICO_NO_PICOTOOL=1 \
        -DMICROPY_FROZEN_MANIFEST="$manifest" > "$work/cmake.log" 2>&1 || fail "cmake fails" "$work/cmake.log"
    echo "$manifest" > "$work/manifest.txt"
fi
# The frozen code first, for the image does not wait for it by itself; and anew, for a file that is frozen no
# longer is not missed.
rm -rf "$work/build/frozen_content.c" "$work/build/frozen_mpy"
{
    make -s -C "$work/build" -j"$(nproc)" BUILD_FROZEN_CONTENT && make -s -C "$work/build" -j"$(nproc)"
} > "$work/make.log" 2>&1 || fail "the firmware does not build" "$work/make.log"
mkdir -p "$(dirname "$out")"
python3 "$here/bin2uf2.py" "$work/build/firmware.bin" "$out.part"
mv "$out.part" "$out"
if [ "$manifest" = "$(realpath "$here/../firmware/manifest.py")" ]; then
    cp "$here/../build/device-code/names.json" "${out%.uf2}.names.json" # for reading tracebacks
fi
