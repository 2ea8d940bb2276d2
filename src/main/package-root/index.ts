export {openPackages, type PackagesRequest} from './open-packages.ts';
