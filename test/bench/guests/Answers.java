import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.*;
import java.util.regex.*;

/**
 * Work for a compiler of Java. answers.mjs has the same answers. Usage: Answers.java prints them; Answers.java NAME TIMES works so many times and says when it
 * begins and ends, as linux.c does.
 */
public class Answers {
	static final class Numbers {
		private int state;

		Numbers(int seed) {
			state = seed;
		}

		int next() {
			state = state * 1664525 + 1013904223;
			return state >>> 1;
		}
	}

	abstract static class Shape {
		final int size;

		Shape(int size) {
			this.size = size;
		}

		abstract int area();
	}

	static final class Square extends Shape {
		Square(int size) {
			super(size);
		}

		int area() {
			return size * size;
		}
	}

	static final class Strip extends Shape {
		Strip(int size) {
			super(size);
		}

		int area() {
			return size * 3;
		}
	}

	static final class Broken extends Shape {
		Broken(int size) {
			super(size);
		}

		int area() {
			throw new IllegalStateException("size " + size);
		}
	}

	record Entry(int key, String name) {}

	static int mix(int hash, int value) {
		return hash * 31 + value;
	}

	/** Kinds of shapes come late, so that what is compiled for the first ones is thrown away. */
	static String shapes() {
		int sum = 0, caught = 0;
		List<Shape> kept = new ArrayList<>();
		Numbers random = new Numbers(7);
		for (int round = 0; round < 60_000; round++) {
			int size = random.next() % 1000;
			int kind = round < 20_000 ? 0 : round < 40_000 ? round % 2 : round % 7 == 0 ? 2 : round % 2;
			Shape shape = kind == 0 ? new Square(size) : kind == 1 ? new Strip(size) : new Broken(size);
			if (round % 8 == 0) kept.add(shape);
			if (kept.size() > 3000) kept = new ArrayList<>(kept.subList(1500, kept.size()));
			try {
				sum = mix(sum, shape.area());
			} catch (IllegalStateException error) {
				caught = mix(caught, error.getMessage().hashCode());
			}
		}
		return sum + " " + caught + " " + kept.size();
	}

	static String sorted() {
		Numbers random = new Numbers(11);
		List<Entry> list = new ArrayList<>();
		for (int i = 0; i < 20_000; i++) list.add(new Entry(random.next() % 5000, "n" + random.next() % 100));
		list.sort(Comparator.comparingInt(Entry::key).thenComparing(Entry::name));
		int hash = 0;
		for (Entry each : list) hash = mix(mix(hash, each.key()), each.name().hashCode());
		return "" + hash;
	}

	static String maps() {
		Numbers random = new Numbers(13);
		Map<String, Integer> counts = new HashMap<>();
		for (int round = 0; round < 40_000; round++)
			counts.merge("w" + Integer.toHexString(random.next() % 3000), 1, Integer::sum);
		int hash = 0;
		for (String word : new TreeSet<>(counts.keySet())) hash = mix(mix(hash, word.hashCode()), counts.get(word));
		return counts.size() + " " + hash;
	}

	static String regexps() {
		Numbers random = new Numbers(17);
		StringBuilder text = new StringBuilder();
		for (int round = 0; round < 4000; round++)
			text.append(random.next() % 100_000).append(" key").append(random.next() % 50).append("=value-").append(random.next() % 1000).append(";\n");
		long count = 0, sum = 0;
		for (Matcher found = Pattern.compile("key(\\d+)=([a-z]+)-(\\d*7)(?=;)").matcher(text); found.find(); count++)
			sum += Long.parseLong(found.group(1)) * Long.parseLong(found.group(3));
		long doubles = Pattern.compile("^(\\d)\\d*\\1 key", Pattern.MULTILINE).matcher(text).results().count();
		String masked = Pattern.compile("(\\d+)(\\d)(?= )").matcher(text).replaceAll("<$2$1>");
		return count + " " + sum + " " + doubles + " " + masked.hashCode();
	}

	static String integers() {
		BigInteger factorial = BigInteger.ONE;
		for (int k = 1; k <= 600; k++) factorial = factorial.multiply(BigInteger.valueOf(k));
		BigInteger modulus = BigInteger.TEN.pow(80).add(BigInteger.valueOf(129));
		BigInteger power = BigInteger.valueOf(7).modPow(new BigInteger("12345678901234567890"), modulus);
		BigInteger quotient = factorial.divide(BigInteger.valueOf(3).pow(900));
		return factorial.toString().hashCode() + " " + power + " " + quotient.toString(16).hashCode();
	}

	static String doubles() {
		double sum = 0, product = 0;
		for (int k = 1; k <= 400_000; k++) {
			sum += 1.0 / k;
			product = product * 0.999 + Math.sqrt(k) / 3 - (k % 3 == 0 ? Math.floor(product) / 7 : 0);
		}
		return Long.toHexString(Double.doubleToRawLongBits(sum)) + " " + Long.toHexString(Double.doubleToRawLongBits(product));
	}

	static final byte[] BYTES = new byte[1 << 20];

	static {
		for (int index = 0; index < BYTES.length; index++) BYTES[index] = (byte) (index * 7 + (index >> 8));
	}

	static int root(int value, int degree) {
		BigInteger scaled = BigInteger.valueOf(value).shiftLeft(32 * degree), low = BigInteger.ZERO;
		for (int bit = 40; bit >= 0; bit--) {
			BigInteger next = low.setBit(bit);
			if (next.pow(degree).compareTo(scaled) <= 0) low = next;
		}
		return low.intValue();
	}

	/** SHA-256 (FIPS 180-4, 6.2) in the language itself. */
	static String digest() {
		int[] constants = new int[64], state = new int[8], words = new int[64];
		for (int n = 2, count = 0; count < 64; n++) {
			if (!BigInteger.valueOf(n).isProbablePrime(30)) continue;
			if (count < 8) state[count] = root(n, 2);
			constants[count++] = root(n, 3);
		}
		byte[] padded = Arrays.copyOf(BYTES, BYTES.length + 64);
		padded[BYTES.length] = (byte) 0x80;
		for (int i = 0; i < 4; i++) padded[padded.length - 1 - i] = (byte) (BYTES.length * 8L >>> 8 * i);
		for (int at = 0; at < padded.length; at += 64) {
			for (int i = 0; i < 16; i++)
				words[i] = padded[at + i * 4] << 24 | (padded[at + i * 4 + 1] & 255) << 16 | (padded[at + i * 4 + 2] & 255) << 8 | padded[at + i * 4 + 3] & 255;
			for (int i = 16; i < 64; i++) {
				int x = words[i - 15], y = words[i - 2];
				words[i] = words[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ x >>> 3) + words[i - 7] + (turn(y, 17) ^ turn(y, 19) ^ y >>> 10);
			}
			int a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
			for (int i = 0; i < 64; i++) {
				int first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) + constants[i] + words[i];
				int second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c);
				h = g;
				g = f;
				f = e;
				e = d + first;
				d = c;
				c = b;
				b = a;
				a = first + second;
			}
			int[] now = {a, b, c, d, e, f, g, h};
			for (int i = 0; i < 8; i++) state[i] += now[i];
		}
		StringBuilder text = new StringBuilder();
		for (int word : state) text.append(String.format("%08x", word));
		return text.toString();
	}

	static int turn(int x, int n) {
		return x >>> n | x << 32 - n;
	}

	static String library() throws Exception {
		return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(BYTES));
	}

	static String all() throws Exception {
		return "shapes=" + shapes() + "\nsorted=" + sorted() + "\nmaps=" + maps() + "\nregexps=" + regexps() + "\nintegers=" + integers()
			+ "\ndoubles=" + doubles() + "\ndigest=" + digest() + "\nlibrary=" + library();
	}

	public static void main(String[] words) throws Exception {
		if (words.length == 0) {
			System.out.println(all());
			return;
		}
		System.out.println("work " + words[0] + " begins");
		long start = System.nanoTime();
		String result = all();
		for (int round = 1; round < Integer.parseInt(words[1]); round++)
			if (!all().equals(result)) throw new IllegalStateException("work " + words[0] + " failed: not the same again");
		long cpu = ProcessHandle.current().info().totalCpuDuration().get().toNanos();
		System.out.println("work " + words[0] + " ends " + Integer.toUnsignedString(result.hashCode()) + " " + (System.nanoTime() - start) + " " + cpu);
	}
}
