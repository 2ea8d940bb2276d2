export type {Credentials} from './credentials.ts';
export {dockerCredentials} from './docker-config.ts';
export {registryError} from './errors.ts';
export {
	type BlobPart,
	type GivenManifest,
	type Patience,
	RegistryClient,
	type RepositoryAddress,
} from './registry-client.ts';
