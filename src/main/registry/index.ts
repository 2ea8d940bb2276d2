export type {Credentials} from './credentials.ts';
export {dockerCredentials} from './docker-config.ts';
export {registryError} from './errors.ts';
export type {Patience} from './http.ts';
export {type BlobPart, type GivenManifest, RegistryClient, type RepositoryAddress} from './registry-client.ts';
