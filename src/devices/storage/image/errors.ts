import {errorTable} from '#support/errors';

type Image = {readonly path: string};

/** Errors of disk images. */
export const imageError = errorTable({
	DISK_IMAGE_DAMAGED: (c: Image & {format: string; what: string}) => ({
		message: `"${c.path}" is no sound ${c.format} image: ${c.what}`,
		remedy: `Look at it with openvmm disk check, or take a copy of it that is whole`,
	}),
	DISK_IMAGE_UNSUPPORTED: (c: Image & {format: string; what: string}) => ({
		message: `"${c.path}" cannot be used: ${c.what}`,
		remedy: `Convert it with the program that made it to a plain ${c.format} image`,
	}),
	DISK_IMAGE_FULL: (c: Image & {format: string; what: string}) => ({
		message: `"${c.path}" has no room left: ${c.what}`,
		remedy: 'Convert it to an image with larger blocks, or to another format',
	}),
	DISK_IMAGE_SIZE_INVALID: (c: Image & {format: string; sizeBytes: number; what: string}) => ({
		message: `A ${c.format} image cannot have a disk of ${c.sizeBytes} bytes ("${c.path}"): ${c.what}`,
		remedy: 'Take another size, or another format',
	}),
	DISK_IMAGE_OPTION_INVALID: (c: Image & {format: string; what: string}) => ({
		message: `A ${c.format} image cannot be so ("${c.path}"): ${c.what}`,
		remedy: 'See openvmm disk create --help',
	}),
	DISK_IMAGE_FILE_FAILED: (c: Image & {what: string; errno: string}) => ({
		message: `"${c.path}" cannot be ${c.what}: ${c.errno}`,
		remedy: 'Check the path, its permissions and the space left on its disk',
	}),
	DISK_IMAGE_NOT_FILE: (c: Image) => ({
		message: `"${c.path}" is no file`,
		remedy: 'Name a file: a device or a pipe is no image',
	}),
	DISK_IMAGE_EXISTS: (c: Image) => ({
		message: `"${c.path}" exists`,
		remedy: 'Name another file, or remove this one first',
	}),
	DISK_IMAGE_IN_USE: (c: Image & {writable: boolean}) => ({
		message: `"${c.path}" is in use: another process has it open ${c.writable ? '' : 'to write it'}`.trimEnd(),
		remedy: 'Stop the machine or the command that has it first',
	}),
});
