/** Order of versions (Debian Policy 5.6.12, deb-version(7)). */

/** Negative when `a` is the older version, 0 when they are the same, positive when it is the newer one. */
export function compareVersions(a: string, b: string): number {
	const [left, right] = [splitVersion(a), splitVersion(b)];
	return (
		comparePart(left.epoch, right.epoch) ||
		comparePart(left.upstream, right.upstream) ||
		comparePart(left.revision, right.revision)
	);
}

function splitVersion(version: string) {
	const colon = version.indexOf(':');
	const rest = version.slice(colon + 1);
	const dash = rest.lastIndexOf('-');
	return {
		epoch: colon < 0 ? '0' : version.slice(0, colon),
		upstream: dash < 0 ? rest : rest.slice(0, dash),
		revision: dash < 0 ? '0' : rest.slice(dash + 1),
	};
}

/** Compares what is no digit, then the number behind it, and so on to the end of both. */
function comparePart(a: string, b: string): number {
	const [left, right] = [a.matchAll(/(\D*)(\d*)/g), b.matchAll(/(\D*)(\d*)/g)];
	for (;;) {
		const [, leftText = '', leftDigits = ''] = left.next().value ?? [];
		const [, rightText = '', rightDigits = ''] = right.next().value ?? [];
		if (leftText + leftDigits + rightText + rightDigits === '') return 0;
		const order = compareText(leftText, rightText) || compareDigits(leftDigits, rightDigits);
		if (order !== 0) return order;
	}
}

function compareText(a: string, b: string): number {
	for (let at = 0; at < a.length || at < b.length; at++) {
		const order = rank(a[at]) - rank(b[at]);
		if (order !== 0) return order;
	}
	return 0;
}

/** A tilde is before the end, the end before letters, and letters before everything else. */
function rank(character: string | undefined): number {
	if (character === '~') return -1;
	if (character === undefined) return 0;
	return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 0x100;
}

/** Numbers of any length, without a loss of digits. */
function compareDigits(a: string, b: string): number {
	const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
	if (left.length !== right.length) return left.length - right.length;
	return left < right ? -1 : Number(left > right);
}
