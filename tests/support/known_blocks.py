"""Two well-known blocks, and small helpers that need no verifier. Runs on both Pythons.

All hashes are in internal order unless the name ends in _hex.
"""

from binascii import unhexlify

from lightclient.hashes import hash256, hash_from_hex

# Block 170: the first payment, from Satoshi Nakamoto to Hal Finney.
BLOCK_170_HASH_HEX = "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee"
BLOCK_170_HEADER = unhexlify(
    "0100000055bd840a78798ad0da853f68974f3d183e2bd1db6a842c1feecf222a00000000"
    "ff104ccb05421ab93e63f8c3ce5c2c2e9dbb37de2764b3a3175c8166562cac7d51b96a49ffff001d283e9e70"
)
BLOCK_170_TXIDS_HEX = (
    "b1fea52486ce0c62bb442b530a3f0132b826c74e473d1f2c220bfa78111c5082",
    "f4184fc596403b9d638783cf57adfe4c75c605f6356fbc91338530e9831e9e16",
)
BLOCK_170_TRANSACTIONS = (
    unhexlify(
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff001d0102"
        "ffffffff0100f2052a01000000434104d46c4968bde02899d2aa0963367c7a6ce34eec332b32e42e5f3407e052d64ac625da6f07"
        "18e7b302140434bd725706957c092db53805b821a85b23a7ac61725bac00000000"
    ),
    unhexlify(
        "0100000001c997a5e56e104102fa209c6a852dd90660a20b2d9c352423edce25857fcd3704000000004847304402204e45e16932"
        "b8af514961a1d3a1a25fdf3f4f7732e9d624c6c61548ab5fb8cd410220181522ec8eca07de4860a4acdd12909d831cc56cbbac46"
        "22082221a8768d1d0901ffffffff0200ca9a3b00000000434104ae1a62fe09c5f51b13905f07f06b99a2f7159b2225f374cd378d"
        "71302fa28414e7aab37397f554a7df5f142c21c1b7303b8a0626f1baded5c72a704f7e6cd84cac00286bee000000004341"
        "0411db93e1dcdb8a016b49840f8c53bc1eb68a382e97b1482ecad7b148a6909a5cb2e0eaddfb84ccf9744464f82e160bfa9b8b64"
        "f9d4c03f999b8643f656b412a3ac00000000"
    ),
)

# Block 100,000: four transactions.
BLOCK_100000_HASH_HEX = "000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506"
BLOCK_100000_HEADER = unhexlify(
    "0100000050120119172a610421a6c3011dd330d9df07b63616c2cc1f1cd0020000000000"
    "6657a9252aacd5c0b2940996ecff952228c3067cc38d4885efb5a4ac4247e9f337221b4d4c86041b0f2b5710"
)
BLOCK_100000_TXIDS_HEX = (
    "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
    "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
    "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
    "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
)
BLOCK_100000_TRANSACTIONS = (
    unhexlify(
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff08044c86041b020602"
        "ffffffff0100f2052a010000004341041b0e8c2567c12536aa13357b79a073dc4444acb83c4ec7a0e2f99dd7457516c5817242da"
        "796924ca4e99947d087fedf9ce467cb9f7c6287078f801df276fdf84ac00000000"
    ),
    unhexlify(
        "0100000001032e38e9c0a84c6046d687d10556dcacc41d275ec55fc00779ac88fdf357a187000000008c493046022100c352d3dd"
        "993a981beba4a63ad15c209275ca9470abfcd57da93b58e4eb5dce82022100840792bc1f456062819f15d33ee7055cf7b5ee1af1"
        "ebcc6028d9cdb1c3af7748014104f46db5e9d61a9dc27b8d64ad23e7383a4e6ca164593c2527c038c0857eb67ee8e825dca65046"
        "b82c9331586c82e0fd1f633f25f87c161bc6f8a630121df2b3d3ffffffff0200e32321000000001976a914c398efa9c392ba6013"
        "c5e04ee729755ef7f58b3288ac000fe208010000001976a914948c765a6914d43f2a7ac177da2c2f6b52de3d7c88ac00000000"
    ),
    unhexlify(
        "0100000001c33ebff2a709f13d9f9a7569ab16a32786af7d7e2de09265e41c61d078294ecf010000008a4730440220032d30df5e"
        "e6f57fa46cddb5eb8d0d9fe8de6b342d27942ae90a3231e0ba333e02203deee8060fdc70230a7f5b4ad7d7bc3e628cbe219a886b"
        "84269eaeb81e26b4fe014104ae31c31bf91278d99b8377a35bbce5b27d9fff15456839e919453fc7b3f721f0ba403ff96c9deeb6"
        "80e5fd341c0fc3a7b90da4631ee39560639db462e9cb850fffffffff0240420f00000000001976a914b0dcbf97eabf4404e31d95"
        "2477ce822dadbe7e1088acc060d211000000001976a9146b1281eec25ab4e1e0793ff4e08ab1abb3409cd988ac00000000"
    ),
    unhexlify(
        "01000000010b6072b386d4a773235237f64c1126ac3b240c84b917a3909ba1c43ded5f51f4000000008c493046022100bb1ad26d"
        "f930a51cce110cf44f7a48c3c561fd977500b1ae5d6b6fd13d0b3f4a022100c5b42951acedff14abba2736fd574bdb465f3e6f8d"
        "a12e2c5303954aca7f78f3014104a7135bfe824c97ecc01ec7d7e336185c81e2aa2c41ab175407c09484ce9694b44953fcb75120"
        "6564a9c24dd094d42fdbfdd5aad3e063ce6af4cfaaea4ea14fbbffffffff0140420f00000000001976a91439aa3d569e06a1d792"
        "6dc4be1193c99bf2eb9ee088ac00000000"
    ),
)


def branch_of(txids_hex, index):
    """The Merkle branch of a row of display txids, computed the plain way."""
    row = [hash_from_hex(txid) for txid in txids_hex]
    branch = b""
    while len(row) > 1:
        if len(row) % 2:
            row.append(row[-1])
        branch += row[index ^ 1]
        row = [hash256(row[i] + row[i + 1]) for i in range(0, len(row), 2)]
        index >>= 1
    return branch


def joined(hashes_hex):
    return b"".join([hash_from_hex(text) for text in hashes_hex])


def feed(parser, data, piece=0):
    """Feed `data` in pieces of `piece` bytes (0: whole)."""
    step = piece or len(data) or 1
    for start in range(0, len(data), step):
        parser.feed(data, start, min(start + step, len(data)))
