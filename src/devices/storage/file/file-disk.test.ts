import {spawn, spawnSync} from 'node:child_process';
import {
	closeSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {IoVectors, type MappedMemory} from '#devices/guest-memory';
import {type Disk, DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {AwaitedRequest, diskMemory} from '#devices/storage/disk/testing';
import {Errno, Fallocate, RWF_DSYNC, Seek, seek} from '#support/ffi';
import {engineNames, type FileOperation, type IoEngine} from '#support/io-engine';
import {EpollReactor} from '#support/reactor';
import {FileDisk, type FileDiskConfig, FileIo, FileShare} from './index.ts';
import {openFile} from './open-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-file-disk-'));
/** A temporary folder may be one in memory. */
const hasDirect = await canBeDirect();
test.after.always(() => rmSync(directory, {recursive: true}));

const {READ, WRITE, FLUSH, DISCARD, WRITE_ZEROES} = DiskOperation;
const ramBytes = 0x80_0000;
const length = 0x10_0000;

interface Bench {
	readonly memory: MappedMemory;
	readonly reactor: EpollReactor;
	open(
		config: FileDiskConfig,
		options?: {isReadOnly?: boolean; worker?: number; share?: SharedArrayBuffer},
	): Promise<FileDisk>;
	/** Runs one request, and tells its error. */
	run(disk: Disk, values: Partial<DiskRequest>, ...ranges: readonly (readonly [number, number])[]): Promise<DiskError>;
	/** Bytes of guest memory. */
	read(gpa: number, bytes: number): Buffer;
}

async function canBeDirect(): Promise<boolean> {
	const path = join(directory, 'direct');
	writeFileSync(path, Buffer.alloc(4096));
	try {
		const {handle} = await openFile({path, direct: true}, true);
		await handle.close();
		return true;
	} catch (error) {
		if ((error as {code?: string}).code !== 'DISK_DIRECT_UNSUPPORTED') throw error;
		return false;
	}
}

const losetup = (...words: readonly string[]) => spawnSync('losetup', words, {encoding: 'utf8'});
/** Block devices are the administrator's to make, where containers let him. */
const hasBlockDevices = process.getuid?.() === 0 && losetup('--find').status === 0;
const testWhere = (isPossible: boolean): typeof diskTest =>
	isPossible ? diskTest : (title) => test.skip(title, () => {});
const blockTest = testWhere(hasBlockDevices);
/** A user has mounts of his own where he is root among users of his own. */
const mayMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', directory]).status === 0;

let files = 0;
const newPath = () => join(directory, `disk-${files++}.img`);
const pattern = (bytes: number, seed = 1) =>
	Buffer.alloc(
		bytes,
		Uint8Array.from({length: 256}, (_, i) => i * 13 + seed),
	);
/** A file with a pattern. */
function newFile(bytes = length): string {
	const path = newPath();
	writeFileSync(path, pattern(bytes));
	return path;
}

/** A test whose reactor runs meanwhile. */
function diskTest(title: string, body: (t: ExecutionContext, bench: Bench) => Promise<void>): void {
	test(title, async (t) => {
		const memory = diskMemory(ramBytes);
		const reactor = new EpollReactor();
		const running = reactor.run();
		const opened: FileDisk[] = [];
		try {
			await body(t, {
				memory,
				reactor,
				async open(config, {isReadOnly = false, worker = 0, share = new SharedArrayBuffer(FileShare.byteLength)} = {}) {
					const disk = await FileDisk.open({config, isReadOnly, reactor, worker, share: FileShare.on(share)});
					opened.push(disk);
					return disk;
				},
				run: (disk, values, ...ranges) => new AwaitedRequest().on(disk, memory, values, ...ranges),
				read(gpa, bytes) {
					const copy = Buffer.alloc(bytes);
					memory.copyOut(gpa, copy);
					return copy;
				},
			});
		} finally {
			for (const disk of opened) await disk.close();
			reactor.close();
			await running;
		}
	});
}

for (const engine of engineNames) {
	for (const direct of hasDirect ? [false, true] : [false]) {
		const name = `${engine}${direct ? ', direct' : ''}`;
		diskTest(
			`${name}: what is written is in the file, and what is in the file is read, wherever it goes in memory`,
			async (t, {memory, open, run, read}) => {
				const path = newFile();
				const disk = await open({path, engine, direct});
				t.is(disk.mover, engine);
				t.is(disk.bytes, length);
				t.is(
					await run(disk, {operation: READ, offset: 0x4000, length: 0x3000}, [0x1000, 0x1000], [0x1_0000, 0x2000]),
					DiskError.NONE,
				);
				t.true(pattern(length).subarray(0x4000, 0x5000).equals(read(0x1000, 0x1000)));
				t.true(pattern(length).subarray(0x5000, 0x7000).equals(read(0x1_0000, 0x2000)));
				// Memory that begins at no sector, and parts that are none.
				memory.copyIn(0x2_0003, pattern(0x1000, 9));
				const isDurable = true;
				const written = run(
					disk,
					{operation: WRITE, offset: 0x8000, length: 0x1000, isDurable},
					[0x2_0003, 0x7ff],
					[0x2_0802, 0x801],
				);
				t.is(await written, DiskError.NONE);
				const file = readFileSync(path).subarray(0x8000, 0x9000);
				t.true(pattern(0x1000, 9).equals(file));
				t.is(
					await run(disk, {operation: READ, offset: 0x8000, length: 0x1000}, [0x3_0001, 0xfff], [0x5_0000, 1]),
					DiskError.NONE,
				);
				t.true(pattern(0x1000, 9).subarray(0, 0xfff).equals(read(0x3_0001, 0xfff)));
				t.is(await run(disk, {operation: FLUSH}), DiskError.NONE);
			},
		);
	}

	diskTest(`${engine}: ranges become zeros and holes, and nothing beside them changes`, async (t, {open, run}) => {
		const path = newFile();
		const disk = await open({path, engine});
		const before = statSync(path).blocks;
		t.is(await run(disk, {operation: DISCARD, offset: 0x1_0000, length: 0x1_0000}), DiskError.NONE);
		t.true(statSync(path).blocks < before, 'the host has its room again');
		t.is(
			await run(disk, {operation: WRITE_ZEROES, offset: 0x3_0200, length: 0x1_0200, isDurable: true}),
			DiskError.NONE,
		);
		t.is(
			await run(disk, {operation: WRITE_ZEROES, offset: 0x5_0000, length: 0x1_0000, mayUnmap: true}),
			DiskError.NONE,
		);
		const expected = pattern(length)
			.fill(0, 0x1_0000, 0x2_0000)
			.fill(0, 0x3_0200, 0x4_0400)
			.fill(0, 0x5_0000, 0x6_0000);
		t.true(expected.equals(readFileSync(path)));
	});

	diskTest(
		`${engine}: where the file system knows neither holes nor zeros, zeros are written and nothing is discarded`,
		async (t, {open, run}) => {
			const path = newFile();
			const disk = await open({path, engine});
			Object.assign(disk.io.limits, {hasHoles: false, hasZeroRanges: false});
			t.is(await run(disk, {operation: DISCARD, offset: 0, length: 0x1000}), DiskError.NONE);
			t.is(await run(disk, {operation: WRITE_ZEROES, offset: 0x200, length: 0x8_0200, mayUnmap: true}), DiskError.NONE);
			t.true(pattern(length).fill(0, 0x200, 0x8_0400).equals(readFileSync(path)));
		},
	);

	diskTest(
		`${engine}: a file that became shorter gives errors, and what is left of it`,
		async (t, {open, run, read}) => {
			const path = newFile();
			const disk = await open({path, engine});
			truncateSync(path, 0x8200);
			t.is(await run(disk, {operation: READ, offset: 0x8000, length: 0x400}, [0x1000, 0x400]), DiskError.IO);
			t.is(await run(disk, {operation: READ, offset: 0x9000, length: 0x200}, [0x1000, 0x200]), DiskError.IO);
			t.is(await run(disk, {operation: READ, offset: 0x8000, length: 0x200}, [0x2000, 0x200]), DiskError.NONE);
			t.true(pattern(length).subarray(0x8000, 0x8200).equals(read(0x2000, 0x200)));
			await disk.measure();
			t.is(disk.bytes, 0x8200);
			t.is(await run(disk, {operation: READ, offset: 0x8200, length: 0x200}, [0x1000, 0x200]), DiskError.OUT_OF_RANGE);
			truncateSync(path, 2 * length + 100);
			await disk.measure();
			t.is(disk.bytes, 2 * length, 'whole sectors');
		},
	);
}

for (const engine of engineNames) {
	for (const direct of [false, true]) {
		blockTest(
			`${engine}${direct ? ', direct' : ''}: a block device is read, written, cleared and made longer as a file is`,
			async (t, {memory, open, run, read}) => {
				const under = newFile();
				const {stdout, status} = losetup('--find', '--show', '--sector-size', '4096', under);
				const path = stdout.trim();
				t.is(status, 0);
				try {
					const disk = await open({path, engine, direct});
					t.deepEqual([disk.bytes, disk.geometry.sectorBytes], [length, 4096]);
					await t.throwsAsync(open({path}), {code: 'DISK_FILE_LOCKED'});
					const all = {offset: 0x4000, length: 0x2000};
					t.is(await run(disk, {operation: READ, ...all}, [0x1000, 0x2000]), DiskError.NONE);
					t.true(pattern(length).subarray(0x4000, 0x6000).equals(read(0x1000, 0x2000)));
					memory.copyIn(0x2_0003, pattern(0x2000, 9));
					t.is(await run(disk, {operation: WRITE, ...all}, [0x2_0003, 0x2000]), DiskError.NONE);
					t.is(await run(disk, {operation: FLUSH}), DiskError.NONE);
					t.true(pattern(0x2000, 9).equals(readFileSync(under).subarray(0x4000, 0x6000)));
					const cleared = {offset: 0x1_0000, length: 0x1_0000};
					t.is(await run(disk, {operation: WRITE_ZEROES, ...cleared, isDurable: true}), DiskError.NONE);
					t.is(await run(disk, {operation: DISCARD, offset: 0x3_0000, length: 0x1_0000}), DiskError.NONE);
					t.true(
						readFileSync(under)
							.subarray(0x1_0000, 0x2_0000)
							.every((byte) => byte === 0),
					);
					t.is(await run(disk, {operation: READ, offset: 0x800, length: 0x1000}, [0, 0x1000]), DiskError.OUT_OF_RANGE);
					truncateSync(under, 2 * length);
					t.is(losetup('--set-capacity', path).status, 0);
					await disk.measure();
					t.is(disk.bytes, 2 * length);
				} finally {
					// When the last who has it open closes it.
					losetup('--detach', path);
				}
			},
		);
	}
}

diskTest('several threads have one file between them', async (t, {open, run, read, memory}) => {
	const path = newFile();
	const share = new SharedArrayBuffer(FileShare.byteLength);
	const opening = [1, 0, 2].map((worker) => open({path}, {worker, share}));
	const [second, first] = (await Promise.all(opening)) as [FileDisk, FileDisk];
	memory.fill(0, 512, 0x77);
	t.is(await run(second, {operation: WRITE, offset: 512, length: 512}, [0, 512]), DiskError.NONE);
	t.is(await run(first, {operation: READ, offset: 512, length: 512}, [0x1000, 512]), DiskError.NONE);
	t.deepEqual([...new Set(read(0x1000, 512))], [0x77]);
	truncateSync(path, 2 * length);
	await first.measure();
	t.is(second.bytes, 2 * length);
	const lost = new SharedArrayBuffer(FileShare.byteLength);
	const failing = [1, 0].map((worker) => open({path: join(directory, 'nowhere')}, {worker, share: lost}));
	for (const each of failing) await t.throwsAsync(each, {code: 'DISK_FILE_UNUSABLE'});
});

diskTest(
	'each thread has the file as one of its own, which the host tells of what it has lost, and the lock in common',
	async (t, {open}) => {
		const path = newFile();
		const share = new SharedArrayBuffer(FileShare.byteLength);
		const [first, second] = [await open({path}, {share}), await open({path}, {worker: 1, share})];
		const placeOf = ({io}: FileDisk) =>
			/^pos:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${io.fd}`, 'latin1'))?.[1];
		seek(first.io.fd, 0, Seek.END);
		t.deepEqual([placeOf(first), placeOf(second)], [`${length}`, '0']);
		await first.close();
		await t.throwsAsync(open({path}), {code: 'DISK_FILE_LOCKED'});
		await second.close();
		await (await open({path})).close();
	},
);

test('of flushes that come together none is told that all is well of what another was told is lost', (t) => {
	const calls: FileOperation[] = [];
	const engine = {submit: (call: FileOperation) => void calls.push(call)} as IoEngine;
	const io = new FileIo({fd: 0, engine, alignment: 1, goesOnWithZeros: false});
	const ends: DiskError[][] = [];
	class Flush extends DiskRequest {
		override readonly operation = FLUSH;
		readonly ends: DiskError[] = [];
		override done(error: DiskError): void {
			this.ends.push(error);
			// Who hears of it asks again at once.
			if (ends.length < 4) flush();
		}
	}
	const flush = () => {
		const request = new Flush(new IoVectors(0));
		ends.push(request.ends);
		io.submit(request);
	};
	flush();
	flush();
	t.is(calls.length, 1);
	calls.shift()?.completed(-Errno.EIO);
	t.deepEqual(ends, [[DiskError.IO], [DiskError.IO], [], []]);
	t.is(calls.length, 1, 'one for both that came meanwhile');
	calls.shift()?.completed(0);
	t.deepEqual(ends.slice(2), [[DiskError.NONE], [DiskError.NONE]]);
	t.is(calls.length, 0);
});

diskTest(
	'a thread that comes when the first has gone has no file, and none that has got its number',
	async (t, {open}) => {
		const share = new SharedArrayBuffer(FileShare.byteLength);
		const path = newFile();
		await (await open({path}, {share})).close();
		const others = Array.from({length: 40}, () => openSync(newFile(), 'r'));
		await t.throwsAsync(open({path}, {worker: 1, share}), {code: 'DISK_FILE_UNUSABLE'});
		for (const fd of others) closeSync(fd);
	},
);

diskTest('two machines do not write to one file, and any number reads it', async (t, {open}) => {
	const path = newFile();
	const reader = await open({path}, {isReadOnly: true});
	await open({path}, {isReadOnly: true});
	await t.throwsAsync(open({path}), {code: 'DISK_FILE_LOCKED', message: /in use/});
	const other = newFile();
	await open({path: other});
	await t.throwsAsync(open({path: other}), {code: 'DISK_FILE_LOCKED'});
	await t.throwsAsync(open({path: other}, {isReadOnly: true}), {code: 'DISK_FILE_LOCKED'});
	t.true(reader.isReadOnly);
});

diskTest('a disk that is only read is not written to, in no way', async (t, {open, run}) => {
	const path = newFile();
	const disk = await open({path}, {isReadOnly: true});
	for (const operation of [WRITE, DISCARD, WRITE_ZEROES] as const) {
		const ranges = operation === WRITE ? [[0, 512] as const] : [];
		t.is(await run(disk, {operation, offset: 0, length: 512}, ...ranges), DiskError.PROTECTED);
	}
	t.is(await run(disk, {operation: FLUSH}), DiskError.NONE);
	t.true(pattern(length).equals(readFileSync(path)));
});

diskTest('ranges outside the disk, and parts of sectors, are refused', async (t, {open, run}) => {
	const disk = await open({path: newFile()});
	for (const [offset, bytes] of [
		[length, 512],
		[length - 512, 1024],
		[0, 100],
		[7, 512],
		[-512, 512],
		[2 ** 60, 512],
	] as const)
		t.is(await run(disk, {operation: READ, offset, length: bytes}, [0, bytes]), DiskError.OUT_OF_RANGE);
	t.is(await run(disk, {operation: READ, offset: 0, length: 512}, [0, 1024]), DiskError.OUT_OF_RANGE);
	t.is(await run(disk, {operation: DISCARD, offset: 0, length: 2 ** 30 + 512}), DiskError.OUT_OF_RANGE);
	t.is(await run(disk, {operation: READ, offset: 0, length: 0}), DiskError.NONE);
});

diskTest('a new file has the length that it is made with, and one that is there is not touched', async (t, {open}) => {
	const path = newPath();
	const disk = await open({path, create: 2 ** 33});
	t.is(disk.bytes, 2 ** 33);
	t.true(statSync(path).blocks < 100);
	await t.throwsAsync(open({path, create: 2 ** 20}), {code: 'DISK_FILE_EXISTS'});
	t.is(statSync(path).size, 2 ** 33);
	const impossible = newPath();
	await t.throwsAsync(open({path: impossible, create: 2 ** 53 - 512}), {code: 'DISK_FILE_UNUSABLE', message: /EFBIG/});
	t.false(existsSync(impossible), 'none is left behind');
});

diskTest('what is no disk is refused, with what is wrong', async (t, {open}) => {
	await t.throwsAsync(open({path: newFile(0)}), {code: 'DISK_FILE_LENGTH'});
	await t.throwsAsync(open({path: newFile(1000)}), {code: 'DISK_FILE_LENGTH', message: /1000 bytes/});
	await t.throwsAsync(open({path: '/dev/zero'}), {code: 'DISK_FILE_KIND'});
	await t.throwsAsync(open({path: directory}), {code: 'DISK_FILE_UNUSABLE', message: /EISDIR/});
	await t.throwsAsync(open({path: join(directory, 'missing')}), {code: 'DISK_FILE_UNUSABLE', message: /ENOENT/});
});

testWhere(mayMount)(
	'a file system that is full is an error of the write, and of no other request',
	async (t, {open, run, read, reactor}) => {
		// A sparse file that a small tmpfs has no room for.
		const script = 'mount -t tmpfs -o size=1m none "$1" && touch "$1/disk.img" && exec sleep 100';
		const mounted = join(directory, 'small');
		mkdirSync(mounted);
		const child = spawn('unshare', ['-rm', 'sh', '-c', script, 'sh', mounted], {stdio: 'ignore'});
		const path = `/proc/${child.pid}/root${mounted}/disk.img`;
		while (!existsSync(path) && child.exitCode === null)
			await new Promise<void>((resolve) => reactor.after(10e6, resolve));
		try {
			t.true(existsSync(path));
			for (const [index, engine] of engineNames.entries()) {
				const disk = await open({path: `${path}.${index}`, engine, create: 0x80_0000});
				const write = {operation: WRITE, length: 0x20_0000} as const;
				t.is(await run(disk, {...write, offset: 0x10_0000}, [0, 0x20_0000]), DiskError.NO_SPACE);
				t.is(
					await run(disk, {operation: READ, offset: 0x70_0000, length: 0x1000}, [0x40_0000, 0x1000]),
					DiskError.NONE,
				);
				t.deepEqual([...new Set(read(0x40_0000, 0x1000))], [0]);
				// It makes room, and the guest may go on.
				t.is(await run(disk, {operation: DISCARD, offset: 0, length: 0x80_0000}), DiskError.NONE);
				t.is(await run(disk, {operation: WRITE, offset: 0, length: 0x1000}, [0, 0x1000]), DiskError.NONE);
			}
		} finally {
			child.kill();
		}
	},
);

diskTest(
	'a flush is a sync after the writes that were done, and a durable write is none without one',
	async (t, {open, run}) => {
		const disk = await open({path: newFile()});
		const calls: string[] = [];
		const call = disk.io.call.bind(disk.io);
		disk.io.call = (operation) => {
			calls.push(`${['read', 'write', 'sync', 'allocate'][operation.action]} ${operation.flags}`);
			call(operation);
		};
		const write = (isDurable: boolean) => run(disk, {operation: WRITE, offset: 0, length: 512, isDurable}, [0, 512]);
		await write(false);
		await write(true);
		await run(disk, {operation: FLUSH});
		disk.io.limits.hasDurableWrites = false;
		await write(true);
		await write(false);
		await run(disk, {operation: WRITE_ZEROES, offset: 0, length: 512, isDurable: true});
		const [plain, durable, zeros] = [
			'write 0',
			`write ${RWF_DSYNC}`,
			`allocate ${Fallocate.ZERO_RANGE | Fallocate.KEEP_SIZE}`,
		];
		t.deepEqual(
			calls.map((each) => each.replace(/^sync .*/, 'sync')),
			[plain, durable, 'sync', plain, 'sync', plain, zeros, 'sync'],
		);
	},
);

testWhere(hasDirect)(
	'memory that direct I/O cannot take goes by little memory of the host, however much is asked for',
	async (t, {memory, open, run, read}) => {
		for (const engine of engineNames) {
			const path = newFile(0x40_0000);
			const disk = await open({path, engine, direct: true});
			const before = process.memoryUsage();
			const used = () => {
				const {arrayBuffers, external} = process.memoryUsage();
				return Math.max(arrayBuffers - before.arrayBuffers, external - before.external);
			};
			const request = {operation: READ, offset: 0, length: 0x40_0000} as const;
			const reading = Array.from({length: 64}, () => run(disk, request, [1, 0x40_0000]));
			t.true(used() < 0x100_0000, `${used()} bytes`);
			t.deepEqual([...new Set(await Promise.all(reading))], [DiskError.NONE]);
			t.true(pattern(0x40_0000).equals(read(1, 0x40_0000)));
			memory.copyIn(0x30_0003, pattern(0x20_0000, 7));
			t.is(
				await run(disk, {operation: WRITE, offset: 0x1000, length: 0x20_0000}, [0x30_0003, 0x20_0000]),
				DiskError.NONE,
			);
			t.true(pattern(0x20_0000, 7).equals(readFileSync(path).subarray(0x1000, 0x20_1000)));
		}
	},
);

diskTest(
	'where a file system knows no way to zeros, long ranges of them are left to the guest',
	async (t, {open, run}) => {
		const bytes = 0x80_0000;
		const path = newFile(bytes);
		const disk = await open({path});
		Object.assign(disk.io.limits, {hasHoles: false, hasZeroRanges: false});
		const zeros = {operation: WRITE_ZEROES, offset: 0x1000} as const;
		t.is(await run(disk, {...zeros, length: 0x40_0200}), DiskError.UNSUPPORTED);
		t.true(pattern(bytes).equals(readFileSync(path)));
		t.is(await run(disk, {...zeros, length: 0x40_0000}), DiskError.NONE);
		t.true(pattern(bytes).fill(0, 0x1000, 0x40_1000).equals(readFileSync(path)));
	},
);

diskTest('where a file system knows holes alone, long zeros that are to keep their room do', async (t, {open, run}) => {
	const bytes = 0x80_0000;
	const path = newFile(bytes);
	const disk = await open({path});
	Object.assign(disk.io.limits, {hasZeroRanges: false});
	const before = statSync(path).blocks;
	t.is(await run(disk, {operation: WRITE_ZEROES, offset: 0x1000, length: 0x60_0200}), DiskError.NONE);
	t.true(pattern(bytes).fill(0, 0x1000, 0x60_1200).equals(readFileSync(path)));
	t.true(statSync(path).blocks >= before - 16, `${statSync(path).blocks} of ${before}`);
	t.true(disk.io.limits.hasHoles);
});

/** Rings and eventfds, which no thread of Node's pool opens meanwhile. */
const anonymousDescriptors = () =>
	readdirSync('/proc/self/fd').filter((fd) => {
		try {
			return readlinkSync(`/proc/self/fd/${fd}`).startsWith('anon_inode:');
		} catch {
			return false;
		}
	}).length;

diskTest(
	'threads do not wait for a first one that had not come so far as to open the file',
	async (t, {open, reactor}) => {
		const share = new SharedArrayBuffer(FileShare.byteLength);
		const before = anonymousDescriptors();
		const config: FileDiskConfig = {path: newFile(), engine: 'io_uring'};
		const full = Object.assign(Object.create(reactor) as EpollReactor, {
			watch: () => {
				throw new Error('no more descriptors');
			},
		});
		const first = {config, isReadOnly: false, reactor: full, worker: 0, share: FileShare.on(share)};
		const opening = FileDisk.open(first);
		t.is(anonymousDescriptors(), before, 'nothing is left open');
		await t.throwsAsync(opening, {message: /no more/});
		await t.throwsAsync(open(config, {worker: 1, share}), {code: 'DISK_FILE_UNUSABLE'});
	},
);
