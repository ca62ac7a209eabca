"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=RobokassaUserParameterKey.js.map