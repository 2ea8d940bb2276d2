import type {Disk} from '#devices/storage/disk';
import {checkPath, invalidValue, optionError} from '#support/options';
import {type DiskKind, nestedOption, parseWords} from './disk-kind.ts';
import type {CryptSource} from './disk-source.ts';

const [prefix, cipher] = ['crypt', 'xts-aes-256'] as const;

/** `crypt:xts-aes-256:KEYFILE:DISK`. */
export const cryptKind: DiskKind<CryptSource> = {
	prefix,
	form: `crypt:${cipher}:KEYFILE:DISK (what is on DISK is encrypted with a key of 64 bytes)`,
	parse({option, words, rest, nested}) {
		parseWords(words, `${option} ${prefix}`, []);
		const [, named, keyFile = '', disk] = /^([^:]*):([^:]*):(.*)$/s.exec(rest) ?? [];
		if (named !== cipher || disk === undefined)
			throw invalidValue(`${option} ${prefix}`, rest, `${cipher}:KEYFILE:DISK`);
		if (keyFile === '') throw optionError('CONFIG_PATH_EMPTY', {option: `${option} ${prefix} key file`});
		return {kind: 'crypt', cipher, keyFile, disk: nested(disk, nestedOption(option, prefix, 0, 1))};
	},
	isRight: ({cipher: named, keyFile}) => named === cipher && typeof keyFile === 'string' && keyFile !== '',
	checkHost: ({keyFile}, option, host) => checkPath(host, 'input', keyFile, `${option} ${prefix} key file`),
	disks: ({disk}) => [disk],
	sharedBytes: () => 0,
	async open({keyFile}, {disks}) {
		const {CryptDisk, readKey} = await import('#devices/storage/crypt');
		const key = await readKey(keyFile);
		try {
			return new CryptDisk(disks[0] as Disk, key);
		} finally {
			key.fill(0);
		}
	},
};
