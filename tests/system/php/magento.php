<?php
// SPDX-License-Identifier: MIT
// As much of Magento as the module of examples/magento meets: php magento.php MODULE OBSERVERS REQUEST...
// OBSERVERS is a JSON of {event: class}, each request one of {"cookie", "area", "event", "order"}. One quote
// lives through them all. Prints one JSON of what became of it.
namespace Magento\Framework\Event {
    interface ObserverInterface
    {
        public function execute(Observer $observer);
    }

    class Observer
    {
        public function __construct(private \Magento\Framework\DataObject $event)
        {
        }

        public function getEvent()
        {
            return $this->event;
        }
    }
}

namespace Magento\Framework {
    class DataObject
    {
        public function __construct(private array $data = [])
        {
        }

        public function getData($key)
        {
            return $this->data[$key] ?? null;
        }

        public function setData($key, $value)
        {
            $this->data[$key] = $value;
        }

        public function getIncrementId()
        {
            return $this->getData('increment_id');
        }
    }
}

namespace Magento\Framework\App {
    class State
    {
        public static ?string $area;

        public function getAreaCode()
        {
            return self::$area ?? throw new \RuntimeException('Area code is not set');
        }
    }
}

namespace Magento\Framework\Stdlib {
    interface CookieManagerInterface
    {
        public function getCookie($name, $default = null);
    }
}

namespace Magento\Framework\Component {
    class ComponentRegistrar
    {
        public const MODULE = 'module';
        public static array $paths = [];

        public static function register($type, $name, $path)
        {
            self::$paths[$name] = $path;
        }
    }
}

namespace {
    use Magento\Framework\App\State;
    use Magento\Framework\Component\ComponentRegistrar;
    use Magento\Framework\DataObject;
    use Magento\Framework\Event\Observer;

    class Cookies implements Magento\Framework\Stdlib\CookieManagerInterface
    {
        public function getCookie($name, $default = null)
        {
            return $_COOKIE[$name] ?? $default;
        }
    }

    set_error_handler(function ($level, $message) {
        throw new ErrorException($message);
    });
    $module = $argv[1];
    require "$module/registration.php";
    spl_autoload_register(function ($class) use ($module) {
        require $module . '/' . str_replace('\\', '/', substr($class, strlen('Example\\Backchannel\\'))) . '.php';
    });
    $observers = [];
    foreach (json_decode($argv[2], true) as $event => $class) {
        $observers[$event] = method_exists($class, '__construct') ? new $class(new Cookies(), new State()) : new $class();
    }

    $quote = new DataObject();
    $milliseconds = [];
    foreach (array_slice($argv, 3) as $request) {
        $request = json_decode($request, true);
        $_COOKIE = isset($request['cookie']) ? ['bc_click' => $request['cookie']] : [];
        State::$area = $request['area'] ?? null;
        $order = new DataObject(['increment_id' => $request['order'] ?? null]);
        $start = hrtime(true);
        $observers[$request['event']]->execute(new Observer(new DataObject(['quote' => $quote, 'order' => $order])));
        $milliseconds[] = (hrtime(true) - $start) / 1e6;
    }
    echo json_encode(['click' => $quote->getData('bc_click'), 'milliseconds' => $milliseconds,
        'modules' => array_keys(ComponentRegistrar::$paths)]), "\n";
}
