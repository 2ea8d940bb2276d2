export {type HostFacts, hostFacts, hostObstacle, loaderOf} from './host-obstacle.mjs';
