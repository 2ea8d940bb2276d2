"""Integers, floating point, text, JSON, digests and compression: a line name=value each, for the test to compare."""
import base64, ctypes, decimal, fractions, hashlib, hmac, json, math, re, struct, zlib

data = open("data", "rb").read()


def say(name, value):
    print(f"{name}={value}")


def bits(value):
    return struct.pack(">d", value).hex()


say("factorial", math.factorial(300))
say("power", pow(7, 12345678901234567890, 10**80 + 129))
say("divmod", divmod(-(10**60) - 7, 10**29 + 3))
say("isqrt", math.isqrt(2 * 10**120))
say("gcd", math.gcd(2**400 - 1, 2**300 - 1))
say("inverse", pow(3, -1, 2**521 - 1))

# Each step is one IEEE 754 operation: any other processor gives the same bits.
harmonic = product = 0.0
for k in range(1, 5001):
    harmonic += 1 / k
    product = product * 0.999 + math.sqrt(k) / 3
say("harmonic", bits(harmonic))
say("product", bits(product))
say("fmod", bits(math.fmod(1e300, 3.7)))
say("shortest", " ".join(repr(k / 7) for k in range(1, 40) if k % 7))
say("parsed", bits(sum(float(text) for text in "1e-320 4.9e-324 0.1 2.5e-5 123456789.987654321 1e308".split())))
for name in "sin cos tan exp log atan sinh log1p cbrt".split():
    say(name, " ".join(bits(getattr(math, name)(k / 8)) for k in range(1, 30)))
say("fractions", sum(fractions.Fraction(1, k) for k in range(1, 60)))

decimal.getcontext().prec = 60
say("root", decimal.Decimal(2).sqrt())
say("e", decimal.Decimal(1).exp())
say("ten", decimal.Decimal(10).ln())

say("json", json.dumps(json.load(open("json")), separators=(",", ":"), sort_keys=True))
say("words", ",".join(re.findall(r"(?<=\n)(\d*7)(\d)\2(?=\n)", data.decode())[-1]))
say("count", len(re.findall(r"^(?:1|2+)[3-5]{2,}(?!6)\d$", data.decode(), re.MULTILINE)))

for name in "md5 sha1 sha256 sha512 sha3_256 blake2b".split():
    say(name, hashlib.new(name, data).hexdigest() if name != "blake2b" else hashlib.blake2b(data).hexdigest())
say("hmac", hmac.new(b"key", data, "sha384").hexdigest())
say("pbkdf2", hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 500).hex())
say("scrypt", hashlib.scrypt(b"password", salt=b"salt", n=256, r=4, p=1, dklen=32).hex())
say("crc32", zlib.crc32(data))
packed = zlib.compress(data[:20000], 6)
say("unpacked", zlib.decompress(packed) == data[:20000])
say("packed", base64.b64encode(packed).decode())

# Ciphers that authenticate are not in `openssl enc`.
crypto = ctypes.CDLL("libcrypto.so.3")
for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_256_gcm", "EVP_chacha20_poly1305"):
    getattr(crypto, name).restype = ctypes.c_void_p


def seal(cipher, key, nonce, extra, plain):
    context = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new())
    length = ctypes.c_int()
    out = ctypes.create_string_buffer(len(plain) + 16)
    tag = ctypes.create_string_buffer(16)
    method = ctypes.c_void_p(getattr(crypto, cipher)())
    assert crypto.EVP_EncryptInit_ex(context, method, None, key, nonce) == 1
    assert crypto.EVP_EncryptUpdate(context, None, ctypes.byref(length), extra, len(extra)) == 1
    assert crypto.EVP_EncryptUpdate(context, out, ctypes.byref(length), plain, len(plain)) == 1
    done = length.value
    assert crypto.EVP_EncryptFinal_ex(context, out, ctypes.byref(length)) == 1
    assert crypto.EVP_CIPHER_CTX_ctrl(context, 0x10, 16, tag) == 1
    return hashlib.sha256(out.raw[:done]).hexdigest() + " " + tag.raw.hex()


key, nonce = bytes(range(32)), bytes(range(12))
for name, length in (("aes_128_gcm", 16), ("aes_256_gcm", 32), ("chacha20_poly1305", 32)):
    say(name, seal(f"EVP_{name}", key[:length], nonce, b"extra", data))
