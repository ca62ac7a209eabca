"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
//# sourceMappingURL=IRobokassaResponse.js.map