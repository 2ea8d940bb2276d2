/** The stream has a longer line than is allowed; nothing is read behind it. */
export const lineTooLong = Symbol('line too long');

/** Splits a byte stream into lines. Holds at most `maxBytes` and one chunk of the stream. */
export async function* lines(
	stream: AsyncIterable<Buffer>,
	maxBytes: number,
): AsyncGenerator<string | typeof lineTooLong> {
	let rest: Buffer = Buffer.alloc(0);
	for await (const chunk of stream) {
		rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
		for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
			if (end >= maxBytes) break;
			const line = rest.subarray(0, end).toString();
			rest = rest.subarray(end + 1);
			if (line.trim() !== '') yield line;
		}
		if (rest.length > maxBytes) {
			yield lineTooLong;
			return;
		}
	}
}
