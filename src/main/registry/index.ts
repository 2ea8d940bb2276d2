export {type Credentials, dockerCredentials} from './credentials.ts';
export {registryError} from './errors.ts';
export type {Patience} from './http.ts';
export {type BlobPart, type GivenManifest, RegistryClient, type RepositoryAddress} from './registry-client.ts';
