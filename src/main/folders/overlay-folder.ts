import {constants} from 'node:fs';
import type {FolderEntry, FolderFile, FolderObject, FolderStat} from '#devices/folder/object';
import {fileError} from './folder-errors.ts';
import {MemoryFolder} from './memory-folder.ts';

const typeMask = constants.S_IFMT;
const changes = constants.O_WRONLY | constants.O_RDWR | constants.O_TRUNC | constants.O_APPEND | constants.O_CREAT;
const pieceBytes = 2 ** 16;

/**
 * A folder over another one that is only read: what the guest changes is in the upper one, by default in memory, where files are copied when they are first
 * written to. What is removed of the lower one is remembered in memory. Folders of the lower one are not renamed (EXDEV): programs copy them then.
 *
 * @param lower - what there is
 * @param upper - takes all changes; it is whole, as {@link MemoryFolder} is
 */
export function overlayFolder(lower: FolderObject, upper: FolderObject = new MemoryFolder()): FolderObject {
	return new OverlayFolder(lower, upper);
}

class OverlayFolder implements FolderObject {
	readonly #lower: FolderObject;
	readonly #upper: FolderObject;
	/** Paths of the lower folder that are not there any more, with all that is below. */
	readonly #gone = new Set<string>();

	constructor(lower: FolderObject, upper: FolderObject) {
		this.#lower = lower;
		this.#upper = upper;
	}

	async lstat(path: string): Promise<FolderStat> {
		const found = (await this.#statIn(this.#upper, path)) ?? (await this.#below(path));
		if (found === undefined) throw fileError('ENOENT', path);
		return found;
	}

	async readdir(path: string): Promise<FolderEntry[]> {
		const [above, below] = [await this.#statIn(this.#upper, path), await this.#below(path)];
		if (above === undefined && below === undefined) throw fileError('ENOENT', path);
		const names = new Map<string, FolderEntry>();
		const add = (entries: readonly (string | FolderEntry)[], isThere: (name: string) => boolean) => {
			for (const entry of entries) {
				const named = typeof entry === 'string' ? {name: entry} : entry;
				if (isThere(named.name)) names.set(named.name, named);
			}
		};
		const isLower = isDirectory(below) && (above === undefined || isDirectory(above));
		if (isLower) add(await this.#lower.readdir(path, typed), (name) => !this.#gone.has(under(path, name)));
		if (above !== undefined) add(await this.#upper.readdir(path, typed), () => true);
		return [...names.values()];
	}

	async open(path: string, flags: number, mode?: number): Promise<FolderFile> {
		const isChange = (flags & changes) !== 0;
		const isAbove = (await this.#statIn(this.#upper, path)) !== undefined;
		if (!isChange && !isAbove) {
			await this.lstat(path);
			return need(this.#lower, 'open')(path, flags);
		}
		const below = isAbove ? undefined : await this.#below(path);
		if (below !== undefined && (flags & constants.O_CREAT) !== 0 && (flags & constants.O_EXCL) !== 0)
			throw fileError('EEXIST', path);
		if (!isAbove) await this.#makeParents(path);
		if (below !== undefined) await this.#copyUp(path, below, (flags & constants.O_TRUNC) === 0);
		return need(this.#upper, 'open')(path, flags, mode);
	}

	async mkdir(path: string, options: {readonly mode: number}): Promise<void> {
		if ((await this.#any(path)) !== undefined) throw fileError('EEXIST', path);
		await this.#makeParents(path);
		// What was below it is still gone.
		await need(this.#upper, 'mkdir')(path, options);
	}

	async rmdir(path: string): Promise<void> {
		if (!isDirectory(await this.lstat(path))) throw fileError('ENOTDIR', path);
		if ((await this.readdir(path)).length > 0) throw fileError('ENOTEMPTY', path);
		await this.#remove(path, 'rmdir');
	}

	async unlink(path: string): Promise<void> {
		if (isDirectory(await this.lstat(path))) throw fileError('EISDIR', path);
		await this.#remove(path, 'unlink');
	}

	async rename(from: string, to: string): Promise<void> {
		const found = await this.lstat(from);
		if (isDirectory(found) && (await this.#below(from)) !== undefined) throw fileError('EXDEV', from);
		const target = await this.#any(to);
		if (target !== undefined && isDirectory(target) && !isDirectory(found)) throw fileError('EISDIR', to);
		if (target !== undefined && isDirectory(target)) await this.rmdir(to);
		await this.#lift(from);
		await this.#makeParents(to);
		await need(this.#upper, 'rename')(from, to);
		await this.#hide(from);
		// A folder does not show what was below another one of its name.
		if (isDirectory(found)) await this.#hide(to);
	}

	async symlink(target: string, path: string): Promise<void> {
		if ((await this.#any(path)) !== undefined) throw fileError('EEXIST', path);
		await this.#makeParents(path);
		await need(this.#upper, 'symlink')(target, path);
	}

	async readlink(path: string): Promise<string | Uint8Array> {
		const isAbove = (await this.#statIn(this.#upper, path)) !== undefined;
		if (!isAbove) await this.lstat(path);
		return need(isAbove ? this.#upper : this.#lower, 'readlink')(path);
	}

	async link(existing: string, path: string): Promise<void> {
		if ((await this.#any(path)) !== undefined) throw fileError('EEXIST', path);
		await this.#lift(existing);
		await this.#makeParents(path);
		await need(this.#upper, 'link')(existing, path);
	}

	async chmod(path: string, mode: number): Promise<void> {
		await this.#lift(path);
		await need(this.#upper, 'chmod')(path, mode);
	}

	async lchown(path: string, uid: number, gid: number): Promise<void> {
		await this.#lift(path);
		await need(this.#upper, 'lchown')(path, uid, gid);
	}

	async lutimes(path: string, atime: number, mtime: number): Promise<void> {
		await this.#lift(path);
		await need(this.#upper, 'lutimes')(path, atime, mtime);
	}

	async truncate(path: string, length: number): Promise<void> {
		await this.#lift(path);
		await need(this.#upper, 'truncate')(path, length);
	}

	async statfs(path: string) {
		return need(this.#upper, 'statfs')(path);
	}

	async #any(path: string): Promise<FolderStat | undefined> {
		return (await this.#statIn(this.#upper, path)) ?? (await this.#below(path));
	}

	/** What the lower folder has there, if that is to be seen. */
	async #below(path: string): Promise<FolderStat | undefined> {
		for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) if (this.#gone.has(at)) return undefined;
		return this.#statIn(this.#lower, path);
	}

	async #statIn(folder: FolderObject, path: string): Promise<FolderStat | undefined> {
		try {
			return await (folder.lstat === undefined ? need(folder, 'stat')(path) : folder.lstat(path));
		} catch (error) {
			const {code} = error as NodeJS.ErrnoException;
			if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
			throw error;
		}
	}

	/** Has a file, a link or a folder by itself in the upper folder. */
	async #lift(path: string): Promise<void> {
		const found = await this.lstat(path);
		if ((await this.#statIn(this.#upper, path)) !== undefined) return;
		await this.#makeParents(path);
		await this.#copyUp(path, found, true);
	}

	async #makeParents(path: string): Promise<void> {
		const names = path.split('/').slice(1, -1);
		let at = '';
		for (const name of names) {
			at += `/${name}`;
			const stat = await this.lstat(at);
			if (!isDirectory(stat)) throw fileError('ENOTDIR', path);
			if ((await this.#statIn(this.#upper, at)) === undefined) await this.#copyUp(at, stat, true);
		}
	}

	async #copyUp(path: string, stat: FolderStat, withContent: boolean): Promise<void> {
		const mode = Number(stat.mode) & 0o7777;
		if (isDirectory(stat)) await need(this.#upper, 'mkdir')(path, {mode});
		else if ((Number(stat.mode) & typeMask) === constants.S_IFLNK) {
			const target = await need(this.#lower, 'readlink')(path);
			await need(this.#upper, 'symlink')(typeof target === 'string' ? target : Buffer.from(target).toString(), path);
		} else await this.#copyFile(path, mode, withContent);
		await this.#upper.lchown?.(path, Number(stat.uid ?? 0), Number(stat.gid ?? 0));
		const seconds = (time: number | bigint | undefined) => Number(time ?? 0) / 1000;
		await this.#upper.lutimes?.(path, seconds(stat.atimeMs), seconds(stat.mtimeMs));
	}

	async #copyFile(path: string, mode: number, withContent: boolean): Promise<void> {
		const flags = constants.O_CREAT | constants.O_TRUNC | constants.O_RDWR;
		const target = await need(this.#upper, 'open')(path, flags, mode);
		try {
			if (!withContent) return;
			const source = await need(this.#lower, 'open')(path, constants.O_RDONLY);
			const piece = new Uint8Array(pieceBytes);
			try {
				for (let at = 0; ; ) {
					const {bytesRead} = await source.read(piece, 0, pieceBytes, at);
					if (bytesRead === 0) break;
					await target.write?.(piece, 0, bytesRead, at);
					at += bytesRead;
				}
			} finally {
				await source.close?.();
			}
		} finally {
			await target.close?.();
		}
	}

	async #remove(path: string, method: 'unlink' | 'rmdir'): Promise<void> {
		if ((await this.#statIn(this.#upper, path)) !== undefined) await need(this.#upper, method)(path);
		await this.#hide(path);
	}

	/** There are no more of these than the lower folder has. */
	async #hide(path: string): Promise<void> {
		if ((await this.#statIn(this.#lower, path)) !== undefined) this.#gone.add(path);
	}
}

const typed = {withFileTypes: true} as const;
const under = (path: string, name: string) => (path === '/' ? `/${name}` : `${path}/${name}`);
const isDirectory = (stat: FolderStat | undefined): boolean =>
	stat !== undefined && (Number(stat.mode) & typeMask) === constants.S_IFDIR;

function need<K extends keyof FolderObject>(folder: FolderObject, name: K): NonNullable<FolderObject[K]> {
	const method = folder[name];
	if (method === undefined) throw fileError('EOPNOTSUPP', name);
	return method.bind(folder) as NonNullable<FolderObject[K]>;
}
