import test from 'ava';
import {
	callOf,
	type FunctionBuilder,
	type Int,
	type IntType,
	i32,
	i64,
	ModuleBuilder,
	type Parameters,
	splat,
	splatConverted,
	type Vector,
	vectorOf,
} from './index.ts';

/** JavaScript's side of a compiled module, as far as the tests use it. */
declare const WebAssembly: {
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Instance: new (
		module: object,
		imports: object,
	) => {readonly exports: Readonly<Record<string, (...values: (number | bigint)[]) => number | bigint>>};
	readonly Table: new (descriptor: object) => {set(index: number, func: unknown): void};
	readonly Memory: new (descriptor: object) => {readonly buffer: SharedArrayBuffer};
};

/** Compiles one function of this signature and gives it. */
function compile<const P extends readonly IntType[], R extends IntType>(
	parameters: P,
	result: R,
	write: (body: FunctionBuilder<P>, ...values: Parameters<P>) => void,
) {
	const module = new ModuleBuilder();
	const func = module.function({parameters, result});
	write(func.body, ...func.body.parameters);
	module.exportFunction('it', func);
	const {it} = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {}).exports;
	if (it === undefined) throw new Error('no function');
	return it;
}

test('constants of every length are what they were', (t) => {
	for (const value of [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, 2 ** 31 - 1, -(2 ** 31)])
		t.is(compile([], 'i32', (f) => f.return(i32(value)))(), value);
	for (const value of [0n, -1n, 63n, 64n, -65n, 2n ** 32n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n)])
		t.is(compile([], 'i64', (f) => f.return(i64(value)))(), value);
	t.is(compile([], 'i64', (f) => f.return(i64(2n ** 64n - 1n)))(), -1n);
});

test('what is known of constants is what code would compute', (t) => {
	const computed = (value: Int<'i32'>) => compile([], 'i32', (f) => f.return(value))();
	for (const [a, b] of [
		[7, 9],
		[-7, 33],
		[0x7fff_ffff, -1],
	] as const)
		for (const name of ['add', 'sub', 'and', 'or', 'xor', 'shl', 'shrU', 'eq'] as const) {
			const known = i32(a)[name](b);
			const ofLocals = compile(['i32', 'i32'], 'i32', (f, x, y) => f.return(x[name](y)))(a, b);
			t.deepEqual([known.known, computed(known)], [BigInt(ofLocals), ofLocals], `${a} ${name} ${b}`);
		}
	t.is(i64(-1n).toI32().toI64U().known, 0xffff_ffffn);
	t.is(i64(-1n).shrU(4).known, 2n ** 60n - 1n);
	t.is(i32(0).isZero().select(i32(5), 6).known, 5n);
	const chosen = (value: number) =>
		compile(['i32'], 'i32', (f, x) => {
			f.if(
				i32(value),
				() => f.set(x, 1),
				() => f.set(x, 2),
			);
			f.switch(i32(value), [() => f.set(x, x.add(10)), () => f.set(x, x.add(20))]);
			f.return(x);
		})(0);
	t.deepEqual([chosen(0), chosen(1), chosen(7)], [12, 21, 21]);
});

test('integer instructions are those of their names, in both widths', (t) => {
	const narrow = (write: (a: Int<'i32'>, b: Int<'i32'>) => Int, a: number, b = 0) =>
		compile(['i32', 'i32'], 'i32', (f, x, y) => f.return(write(x, y)))(a, b);
	const wide = (write: (a: Int<'i64'>, b: Int<'i64'>) => Int<'i64'>, a: bigint, b = 0n) =>
		compile(['i64', 'i64'], 'i64', (f, x, y) => f.return(write(x, y)))(a, b);
	t.deepEqual(
		[
			narrow((a, b) => a.add(b), 7, -9),
			narrow((a, b) => a.sub(b), 7, 9),
			narrow((a, b) => a.mul(b), 7, -9),
			narrow((a, b) => a.divS(b), -7, 2),
			narrow((a, b) => a.divU(b), -1, 16),
			narrow((a, b) => a.remS(b), -7, 2),
			narrow((a, b) => a.remU(b), -1, 16),
			narrow((a, b) => a.and(b).or(0x100).xor(1), 0xff, 0x0f),
			narrow((a, b) => a.shl(b), 3, 33),
			narrow((a, b) => a.shrS(b), -8, 1),
			narrow((a, b) => a.shrU(b), -8, 28),
			narrow((a, b) => a.rotl(b).rotr(8), 0x12345678, 8),
			narrow((a) => a.clz().shl(8).or(a.ctz()), 0x10),
			narrow((a) => a.popcnt(), 0xf1),
			narrow((a) => a.extend8S(), 0x80),
			narrow((a) => a.extend16S(), 0x8000),
			narrow((a) => a.not().neg(), 6),
			narrow((a) => a.isZero(), 0),
		],
		[-2, -2, -63, -3, 0x0fffffff, -1, 15, 0x10e, 6, -4, 15, 0x12345678, 27 * 256 + 4, 5, -128, -32768, 7, 1],
	);
	t.deepEqual(
		[
			wide((a, b) => a.sub(b), 7n, 9n),
			wide((a, b) => a.divU(b), -1n, 2n),
			wide((a, b) => a.shrS(b), -8n, 65n),
			wide((a) => a.clz(), 1n),
			wide((a) => a.toI32().toI64S(), 0x1_8000_0000n),
			wide((a) => a.toI32().toI64U(), 0x1_8000_0000n),
			wide((a, b) => a.ltU(b).select(a, b), -1n, 5n),
		],
		[-2n, 2n ** 63n - 1n, -4n, 63n, -(2n ** 31n), 2n ** 31n, 5n],
	);
	const compared = (a: number, b: number) =>
		narrow(
			(x, y) =>
				[x.eq(y), x.ne(y), x.ltS(y), x.ltU(y), x.gtS(y), x.gtU(y), x.leS(y), x.leU(y), x.geS(y), x.geU(y)].reduce(
					(bits, bit) => bits.shl(1).or(bit),
				),
			a,
			b,
		);
	t.deepEqual([compared(-1, 1), compared(1, 1)], [0b0110_0110_01, 0b1000_0011_11]);
});

test('loops, branches, switches and calls go where they say', (t) => {
	const module = new ModuleBuilder();
	const gcd = module.function({parameters: ['i64', 'i64'], result: 'i64'});
	const [a, b] = gcd.body.parameters;
	gcd.body.if(b.isZero(), () => gcd.body.return(a));
	gcd.body.return(callOf(gcd, b, a.remU(b)));
	module.exportFunction('gcd', gcd);

	const named = module.function({parameters: ['i32'], result: 'i32'});
	const f = named.body;
	const sum = f.local('i32');
	const index = f.local('i32');
	f.block((end) =>
		f.loop((again) => {
			f.brIf(end, index.geS(f.parameters[0]));
			f.switch(index, [
				() => f.set(sum, sum.add(100)),
				() =>
					f.if(
						sum.eq(100),
						() => f.set(sum, sum.add(20)),
						() => f.unreachable(),
					),
				() => f.set(sum, sum.add(1)),
			]);
			f.set(index, index.add(1));
			f.br(again);
		}),
	);
	f.return(sum);
	module.exportFunction('named', named);
	const {exports} = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {});
	t.is(exports['gcd']?.(48n, 36n), 12n);
	t.deepEqual(
		[0, 1, 2, 5].map((times) => exports['named']?.(times)),
		[0, 100, 120, 123],
	);
});

test('functions of a table call each other in place of themselves, however often', (t) => {
	const module = new ModuleBuilder();
	const table = module.importTable('table', {parameters: ['i32', 'i32'], result: 'i32'});
	for (const [name, slot] of [
		['even', 1],
		['odd', 0],
	] as const) {
		const func = module.function({parameters: ['i32', 'i32'], result: 'i32'});
		const [left, sum] = func.body.parameters;
		func.body.if(left.isZero(), () => func.body.return(sum.shl(1).add(slot)));
		func.body.returnCallIn(table, i32(slot), left.sub(1), sum.add(slot));
		func.body.unreachable();
		module.exportFunction(name, func);
	}
	const functions = new WebAssembly.Table({element: 'anyfunc', initial: 2});
	const {exports} = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {env: {table: functions}});
	for (const [slot, name] of ['even', 'odd'].entries()) functions.set(slot, exports[name]);
	// More than a stack has room for.
	t.is(exports['even']?.(1_000_001, 0), 2 * 500_001);
	t.is(exports['odd']?.(3, 0), 2 * 1 + 1);
});

test('two memories, of 32 and 64-bit addresses, are read, written and changed at once', (t) => {
	const module = new ModuleBuilder();
	const small = module.importMemory('small', {address: 'i32', isShared: true, minimum: 1, maximum: 1});
	const large = module.importMemory('large', {address: 'i64', isShared: true, minimum: 1, maximum: 1});
	const seen: bigint[] = [];
	const tell = module.importFunction('tell', {parameters: ['i64']});
	const func = module.function({parameters: []});
	const f = func.body;
	f.store(small, 64, 8, 0, i64(0x8877_6655_4433_2211n));
	f.store(large, 8, 3, 5, small.load('i32', 32, 4, 4));
	f.call(tell, small.loadSigned('i64', 8, 0, 15));
	f.call(tell, large.load('i64', 64, 8));
	f.call(tell, large.rmw('add', 8, 8, 0, i64(0xff)));
	f.call(tell, large.cmpxchg(64, 8, 0, i64(0x10), 7n));
	f.call(tell, large.atomicLoad('i64', 64, 0, 8));
	large.emitAtomicStore(f.out, 32, i64(16), 0, i32(-1));
	f.copy(large, 24, 14, 4);
	f.fill(large, 40, i32(0x1ab), 2);
	module.exportFunction('it', func);
	const memory = {
		small: new WebAssembly.Memory({initial: 1, maximum: 1, shared: true}),
		large: new WebAssembly.Memory({initial: 1n, maximum: 1n, shared: true, address: 'i64'}),
	};
	const env = {...memory, tell: (value: bigint) => void seen.push(value)};
	new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {env}).exports['it']?.();
	t.deepEqual(seen, [-0x78n, 0x11n, 0x11n, 0x10n, 7n]);
	t.deepEqual([...new Uint8Array(memory.large.buffer, 24, 18)], [0, 0, 0xff, 0xff, ...Array(12).fill(0), 0xab, 0xab]);
});

test('vectors are computed by lanes, chosen by bytes, and kept in variables', (t) => {
	const low = (write: (f: FunctionBuilder<readonly []>) => ReturnType<typeof vectorOf>) =>
		compile([], 'i64', (f) => f.return(write(f).lane64(0)))();
	const bytes = vectorOf([1, 2, 3, 4, 5, 6, 7, 0xff, 9, 10, 11, 12, 13, 14, 15, 16]);
	t.is(
		low(() => bytes.binary('i8x16.add', splat('i8x16', 1))),
		0x0008_0706_0504_0302n,
	);
	t.is(
		low(() => bytes.shift('i64x2.shr_u', 56)),
		0xffn,
	);
	t.is(
		low(() => bytes.shuffle(splat('i8x16', 0x77), [0, 16, 1, 17, 2, 18, 15, 19, 0, 0, 0, 0, 0, 0, 0, 0])),
		0x7710_7703_7702_7701n,
	);
	t.is(
		low((f) => f.letVector(bytes).binary('v128.and', f.letVector(splat('i64x2', 0xff00n)))),
		0x200n,
	);
	t.is(
		low(() => bytes.select(splat('i32x4', 0xff), splat('i16x8', 0x2222))),
		0x2222_2205_2222_2201n,
	);
	t.is(compile([], 'i32', (f) => f.return(bytes.reduce('i8x16.bitmask')))(), 0x80);
});

test('floating point is that of lanes, from and to integers', (t) => {
	const low = (value: Vector) => compile([], 'i64', (f) => f.return(value.lane64(0)))();
	const double = (value: number) => new BigInt64Array(Float64Array.of(value).buffer)[0] as bigint;
	const third = splatConverted('f64x2', i64(1)).binary('f64x2.div', splatConverted('f64x2', i64(3)));
	t.is(low(third), double(1 / 3));
	t.is(low(third.unary('f32x4.demote_f64x2_zero').unary('f64x2.promote_low_f32x4')), double(Math.fround(1 / 3)));
	const large = splatConverted('f32x4', i64(-(2n ** 40n) - 1n));
	t.is(compile([], 'i64', (f) => f.return(large.truncated('f32x4')))(), -(2n ** 40n));
	t.is(compile([], 'i32', (f) => f.return(large.binary('f32x4.lt', splat('i32x4', 0)).reduce('i32x4.all_true')))(), 1);
});

test('variables of a scope that has ended are those of the next one, vectors too', (t) => {
	const module = new ModuleBuilder();
	const {body} = module.function({parameters: [], result: 'i32'});
	const variables = () => {
		const made: number[] = [];
		body.scope(() => made.push(body.let(i32(1)).index, body.letVector(splat('i32x4', 1)).index));
		return made;
	};
	t.deepEqual(variables(), variables());
	// Within a scope each is another one.
	body.scope(() => t.not(body.vectorLocal().index, body.vectorLocal().index));
});

test('hints tell where conditions are that mostly hold or seldom do, in front of the code', (t) => {
	const module = new ModuleBuilder();
	module.importFunction('outside', {parameters: []});
	const plain = module.function({parameters: ['i32']});
	plain.body.if(plain.body.parameters[0], () => {});
	const {body} = module.function({parameters: ['i32'], result: 'i32'});
	const [x] = body.parameters;
	body.ifUnlikely(x, () => body.return(i32(1)));
	const {length} = body.out;
	body.ifLikely(
		x,
		() => {},
		() => {},
	);
	body.takeBack(length);
	body.ifLikely(
		x.eq(2),
		() => body.return(i32(2)),
		() => body.return(i32(3)),
	);
	body.unreachable();
	body.before(() => body.ifUnlikely(body.let(x.eq(9)), () => body.return(i32(4))));
	const code = body.encode();
	const ifs = [...code.entries()].flatMap(([at, byte]) => (byte === 0x04 && code[at + 1] === 0x40 ? [at] : []));
	t.is(ifs.length, 3);
	const bytes = Buffer.from(module.encode());
	const name = 'metadata.code.branch_hint';
	const at = bytes.indexOf(name) + name.length;
	// One function, the third; its hints, each an offset, a length, and what is said.
	const [first, second, third] = ifs as [number, number, number];
	t.deepEqual([...bytes.subarray(at, at + 12)], [1, 2, 3, first, 1, 0, second, 1, 0, third, 1, 1]);
	t.true(bytes.indexOf(code) > at);
});

test('what is kept, and what that and constants make, tells by how much it differs', (t) => {
	const {body} = new ModuleBuilder().function({parameters: ['i64'], result: 'i64'});
	const [value] = body.parameters;
	const kept = body.let(value.mul(3));
	const other = body.let(kept.add(8).sub(3));
	const offsets = [kept, other, other.add(1), i64(7).sub(kept), other.add(kept)].map(({sum}) => sum?.offset);
	t.deepEqual(offsets, [0n, 5n, 6n, undefined, undefined]);
	t.is(other.sum?.of, kept.sum?.of);
	t.not(body.let(value).sum?.of, kept.sum?.of);
	body.set(other, 0);
	t.is(other.sum, undefined, 'it is another value');
});

test('parts of code are written anew, with parts of what they were', (t) => {
	const it = compile(['i32'], 'i32', (body, value) => {
		const kept = body.local('i32');
		const lengths = [body.out.length];
		const mark = () => lengths.push(body.out.length);
		for (const by of [1, 10, 100]) {
			body.set(kept, kept.add(by));
			mark();
		}
		body.ifUnlikely(value, () => body.set(kept, kept.add(5)));
		body.return(kept);
		const [begin, second, third, end] = lengths as [number, number, number, number];
		body.rewrite([
			{begin, end: second, write: () => body.set(kept, kept.add(2))},
			{
				begin: third,
				end,
				write: (copy) => {
					copy(third, end);
					copy(second, third);
					body.ifUnlikely(value, () => body.set(kept, kept.add(1000)));
				},
			},
		]);
		t.is(body.hints.length, 2);
		const last = body.hints.map(({at}) => at);
		t.true((last[0] as number) < (last[1] as number));
	});
	t.is(it(0), 2 + 10 + 100 + 10);
	t.is(it(1), 2 + 10 + 100 + 10 + 1000 + 5);
});
