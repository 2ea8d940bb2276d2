import test from 'ava';
import {gather} from './byte-stream.ts';
import {type TarMember, tarMembers} from './tar.ts';
import {type MadeMember, makeTar} from './testing/index.ts';

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
	yield bytes;
}

interface Read extends Pick<TarMember, 'path' | 'kind' | 'length'> {
	readonly text: string;
}

async function membersOf(members: readonly MadeMember[]): Promise<Read[]> {
	const found: Read[] = [];
	for await (const {path, kind, length, content} of tarMembers(once(makeTar(members)), (what) => new Error(what)))
		found.push({path, kind, length, text: Buffer.from(await gather(content)).toString()});
	return found;
}

/** A header of pax with one field. */
function pax(name: string, value: string): MadeMember {
	const rest = ` ${name}=${value}\n`;
	const length = [1, 2, 3, 4]
		.map((digits) => Buffer.byteLength(rest) + digits)
		.find((all) => `${all}`.length === all - Buffer.byteLength(rest));
	return {path: 'pax', type: 'x', data: `${length}${rest}`};
}

for (const [kind, type] of [
	['directory', '5'],
	['symbolic-link', '2'],
	['hard-link', '1'],
	['character', '3'],
	['fifo', '6'],
] as const)
	test(`nothing follows the header of a ${kind}, whatever length it tells`, async (t) => {
		const found = await membersOf([
			{path: 'first', data: 'x'},
			{path: 'other', type, target: 'first', size: 1024},
			{path: 'hidden', data: 'y'},
		]);
		t.deepEqual(
			found.map(({path, length}) => [path, length]),
			[
				['first', 1],
				['other', 0],
				['hidden', 1],
			],
		);
	});

test('a file whose name ends with a slash is a folder, as archives had them before there was a type of folders', async (t) => {
	const found = await membersOf([
		{path: 'old/', type: '0'},
		{path: 'older/', type: '\0'},
	]);
	t.deepEqual(
		found.map(({kind}) => kind),
		['directory', 'directory'],
	);
});

test('the length that pax tells is of the file, and not of a header between', async (t) => {
	const name = 'n'.repeat(120);
	const found = await membersOf([pax('size', '5'), {path: name, data: 'hello', size: 0}]);
	t.like(found, [{path: name, length: 5, text: 'hello'}]);
});

test('a field of pax without a value is not given', async (t) => {
	const found = await membersOf([pax('path', 'other'), pax('path', ''), pax('size', ''), {path: 'a', data: 'hello'}]);
	t.like(found, [{path: 'a', length: 5, text: 'hello'}]);
});

const refused: readonly (readonly [what: string, members: readonly MadeMember[], message: RegExp])[] = [
	['is no decimal number', [pax('size', '0x5'), {path: 'a', data: 'hello'}], /size of a file in it is no number/],
	['is negative', [pax('size', '-5'), {path: 'a', data: 'hello'}], /negative size/],
	['is huge', [pax('size', '9'.repeat(30)), {path: 'a', data: 'hello'}], /no number/],
];
for (const [what, members, message] of refused)
	test(`a length is refused that ${what}`, async (t) => {
		await t.throwsAsync(membersOf(members), {message});
	});

test('a header of pax is refused whose lines do not end where they say, or that is huge', async (t) => {
	const record = {path: 'pax', type: 'x', data: '10 a=bcdef20 x=y\n'};
	await t.throwsAsync(membersOf([record, {path: 'a'}]), {message: /pax header of it is none/});
	const huge = {path: 'pax', type: 'x', data: 'x', size: 2 ** 32};
	await t.throwsAsync(membersOf([huge, {path: 'a'}]), {message: /header of it has 4294967296 bytes/});
});
