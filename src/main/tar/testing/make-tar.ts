/** A member of an archive for tests. Of what is not given, a file has its data's length, and all is root's. */
export interface MadeMember {
	readonly path: string;
	/** The letter of the type; without one it is a file, or a directory where the path ends with a slash. */
	readonly type?: string;
	readonly data?: string | Uint8Array;
	readonly mode?: number;
	readonly user?: number;
	readonly group?: number;
	readonly modified?: number;
	readonly target?: string;
	readonly device?: readonly [number, number];
	/** The length that the header tells, whatever the data is. */
	readonly size?: number;
}

/** Makes an archive of tar, with long names as GNU tar has them. */
export function makeTar(members: readonly MadeMember[]): Buffer {
	return Buffer.concat([...members.flatMap(memberBlocks), Buffer.alloc(1024)]);
}

function memberBlocks(member: MadeMember): Buffer[] {
	const {path, type = path.endsWith('/') ? '5' : '0', target = ''} = member;
	const longPath = path.length > 100 ? longName('L', path) : [];
	const longTarget = target.length > 100 ? longName('K', target) : [];
	return [...longPath, ...longTarget, ...blocks({...member, type})];
}

const longName = (type: string, name: string) => blocks({path: '././@LongLink', type, data: `${name}\0`});

function blocks(member: MadeMember): Buffer[] {
	const data = Buffer.from(member.data ?? '');
	const octal = (value: number, length: number) => value.toString(8).padStart(length, '0');
	const header = Buffer.alloc(512);
	header.write(member.path.slice(0, 100), 0);
	header.write(octal(member.mode ?? (member.type === '5' ? 0o755 : 0o644), 7), 100);
	header.write(octal(member.user ?? 0, 7), 108);
	header.write(octal(member.group ?? 0, 7), 116);
	header.write(octal(member.size ?? data.length, 11), 124);
	header.write(octal(member.modified ?? 0, 11), 136);
	header.write('        ', 148);
	header.write(member.type ?? '0', 156);
	header.write((member.target ?? '').slice(0, 100), 157);
	header.write('ustar  ', 257);
	header.write(octal(member.device?.[0] ?? 0, 7), 329);
	header.write(octal(member.device?.[1] ?? 0, 7), 337);
	header.write(
		octal(
			header.reduce((sum, byte) => sum + byte, 0),
			6,
		),
		148,
	);
	header[154] = 0;
	return [header, data, Buffer.alloc(-data.length & 511)];
}
