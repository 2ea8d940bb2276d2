import {existsSync} from 'node:fs';
import {delimiter, join} from 'node:path';

/** Tells whether the host has a program of this name. */
export const hasProgram = (name: string): boolean =>
	(process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)));
